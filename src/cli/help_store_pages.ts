/** Help about places for a vault: `init` and the `store` commands. */

/** Flags that name a place and how it is reached. */
const PLACE_FLAGS = [
  ["--dir PATH", "a folder; it is made when it is not there"],
  ["--git URL", "a Git repository, named as for git clone"],
  ["--s3 BUCKET[/PREFIX]", "a bucket at AWS, or at what --endpoint names"],
  ["--r2 BUCKET[/PREFIX]", "a bucket at Cloudflare R2, with --account or --endpoint"],
  ["--gcs BUCKET[/PREFIX]", "a bucket at Google Cloud Storage"],
  ["--region REGION", "s3: where the bucket is; found out unless given"],
  ["--endpoint URL", "s3, r2, gcs: the server, when it is not the provider's usual one"],
  ["--path-style", "s3: the bucket in the URL's path instead of its host name"],
  ["--aws-profile NAME", "s3, r2: the profile in ~/.aws that has the keys"],
  [
    "--account ID",
    "r2: the Cloudflare account, 32 hexadecimal digits; CLOUDFLARE_ACCOUNT_ID unless given",
  ],
  ["--jurisdiction WHERE", "r2: eu or fedramp, for a bucket that was made there"],
  ["--hmac", "gcs: sign with HMAC keys instead of Google's own credentials"],
  ["--create-bucket", "s3, gcs: make the bucket, private, when it is not there"],
  [
    "--save-credentials",
    "s3, r2, gcs: keep a key pair for this place in ~/.claude-sync (0600); asks for it, " +
    "or takes it from the environment or standard input",
  ],
] as const;

/** Flags of all commands that move bytes. */
export const TRANSFER_FLAGS = [
  ["--limit-upload RATE", "bytes a second, such as 500K or 2M; none lifts the limit"],
  ["--limit-download RATE", "the same for what comes in"],
  ["--concurrency N", "requests side by side, 1 to 64; what suits the store unless given"],
] as const;

const CREDENTIALS_TEXT =
  "Nothing asks for passwords: folders and Git work as they do for you in a shell, S3 and R2 use " +
  "the keys that the AWS tools would find (environment, ~/.aws, single sign-on), Google the " +
  "credentials of gcloud, or HMAC keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. No " +
  "credential is kept unless you say --save-credentials.";

/** Pages by command, in the form of `HELP_PAGES`. */
export const STORE_PAGES = {
  "init": {
    usage: "init --dir PATH|--git URL|--s3 BUCKET|--r2 BUCKET|--gcs BUCKET [FLAGS]",
    brief: "make a vault in a place of yours, or join the one that is there",
    purpose: [
      "Sets this machine up. The place is any that all your machines reach: a folder (a network " +
      "drive, a USB stick, one that Dropbox, Syncthing or iCloud copies), a Git repository, a " +
      "bucket at AWS, Cloudflare, Google or anything else that speaks S3.",
      "In an empty place it makes a vault and a key. Where a vault is, this machine joins " +
      "it: with the vault's key at once, without it as soon as the key is here " +
      "(claude-sync help key import). A key is never replaced, and a wrong key changes " +
      "nothing. When the vault was moved, init with the new place makes this machine follow.",
      CREDENTIALS_TEXT,
      "Limits given here are remembered for this machine, its hooks included.",
    ],
    flags: [
      ...PLACE_FLAGS,
      ["--machine NAME", "what this machine is called; its host name unless given"],
      ...TRANSFER_FLAGS,
    ],
    examples: [
      ["claude-sync init --dir ~/Dropbox/claude-vault", "first machine: new vault, new key"],
      ["claude-sync init --dir /mnt/nas/vault --dry-run", "look what is there"],
      ["claude-sync init --git git@github.com:anna/sessions.git", "an empty, private repository"],
      ["claude-sync init --s3 acme-claude/anna --region eu-central-1", "a prefix of a bucket"],
      ["claude-sync init --s3 vault --endpoint https://minio.example:9000", "MinIO, Ceph and such"],
      ["claude-sync init --r2 vault --account 0123456789abcdef0123456789abcdef", "Cloudflare R2"],
      ["claude-sync init --gcs acme-claude", "Google Cloud Storage"],
    ],
    exits: [4, 5, 10, 11, 12, 13],
  },
  "store": {
    usage: "store info|test|move",
    brief: "look at the place of the vault, test it, move to another one",
    purpose: ["The store is the place that holds the vault, and learns nothing of what is in it."],
    flags: [],
    examples: [
      ["claude-sync store info", "how far, how much, what it costs"],
      ["claude-sync store test", "what works there, and how to mend what does not"],
      ["claude-sync store move --s3 acme-claude", "take the vault to another place"],
    ],
    exits: [4, 5, 10, 11, 12, 13],
  },
  "store info": {
    usage: "store info",
    brief: "how far the store is, what it can do, how much is in it",
    purpose: [
      "Lists the whole vault. For AWS S3, Cloudflare R2 and Google Cloud Storage it estimates " +
      "what the vault costs a month, from published list prices and a usual amount of work: " +
      "discounts, taxes, other regions' prices and versions of objects are not in it.",
    ],
    flags: TRANSFER_FLAGS,
    examples: [["claude-sync store info", ""], ["claude-sync store info --json", ""]],
    exits: [4, 5, 10],
  },
  "store test": {
    usage: "store test",
    brief: "try put, get, list and delete there",
    purpose: [
      "Puts a small object of random bytes beside the vault, reads it, lists it and deletes it " +
      "again, and says of each step whether it works and how to mend it. The vault itself is " +
      "not touched. In a Git repository this leaves a few small commits.",
    ],
    flags: TRANSFER_FLAGS,
    examples: [["claude-sync store test", ""]],
    exits: [4, 5, 10],
  },
  "store move": {
    usage: "store move --dir PATH|--git URL|--s3 BUCKET|--r2 BUCKET|--gcs BUCKET [FLAGS]",
    brief: "copy the vault to another place, check it, and use it from now on",
    purpose: [
      "Copies every object of the vault, reads each one back and compares it, checks the new " +
      "place as `verify` does, and only then switches this machine to it. Nothing is deleted in " +
      "the old place. When it is interrupted, the same command goes on.",
      "Run the same command on every other machine: it takes along what that machine pushed to " +
      "the old place meanwhile, and switches. (init with the new place switches, too, but only " +
      "a machine of which nothing is missing there.)",
    ],
    flags: [...PLACE_FLAGS, ...TRANSFER_FLAGS],
    examples: [
      ["claude-sync store move --dir /mnt/nas/vault --dry-run", "say how much there is to copy"],
      ["claude-sync store move --git git@github.com:anna/sessions.git", ""],
      ["claude-sync store move --s3 acme-claude --limit-upload 2M", "leave others some room"],
    ],
    exits: [4, 5, 10, 11, 12, 13],
  },
} as const;
