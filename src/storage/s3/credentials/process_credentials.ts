/** Credentials that a program prints: `credential_process`, and the AWS CLI in the same form. */
import * as z from "zod/mini";
import { fromUtf8 } from "../../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../../errors.ts";
import type { Clock, Processes } from "../../../platform/types.ts";
import { jsonOf } from "../../credentials/outside_file.ts";
import type { AwsCredentials } from "../aws_credentials.ts";
import { awsKeys, KEY_LENGTH_MAX, SESSION_TOKEN_LENGTH_MAX } from "./keys.ts";

/** How long such a program may take: it may have to ask a server, not a person. */
const PROCESS_TIMEOUT_MS = 10_000;
/** Most that it may print. */
export const PROCESS_OUTPUT_BYTES_MAX = 64 * 1024;

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html */
const Output = z.object({
  Version: z.literal(1),
  AccessKeyId: z.string().check(z.maxLength(KEY_LENGTH_MAX)),
  SecretAccessKey: z.string().check(z.maxLength(KEY_LENGTH_MAX)),
  SessionToken: z.nullish(z.string().check(z.maxLength(SESSION_TOKEN_LENGTH_MAX))),
  Expiration: z.nullish(z.string().check(z.maxLength(64))),
});

/** What runs. */
export interface CredentialProgram {
  readonly argv: readonly string[];
  /** For messages: which setting named it. Holds no argument, as those may be secret. */
  readonly label: string;
  readonly from: string;
  /** What to do when it fails. */
  readonly hint: string;
}

/**
 * Runs the program without a shell, input or terminal, and reads what it prints. What it says on
 * its standard error is not passed on: it may hold secrets. Errors: `store-refused`; the signal's
 * reason.
 */
export async function processCredentials(
  program: CredentialProgram,
  { processes, clock }: { readonly processes: Processes; readonly clock: Clock },
  signal?: AbortSignal,
): Promise<AwsCredentials> {
  const { argv, label, from, hint } = program;
  const failure = (why: string) =>
    new ClaudeSyncError("store-refused", `${label} ${why}`, { hint });
  const { code, stdout } = await processes.run(argv, {
    timeoutMs: PROCESS_TIMEOUT_MS,
    outputBytesMax: PROCESS_OUTPUT_BYTES_MAX,
    ...(signal === undefined ? {} : { signal }),
  }).catch((cause) => {
    if (!isClaudeSyncError(cause)) throw cause;
    // Without its cause: the system's error lists the arguments.
    throw failure(`fails: ${reasonOf(cause)}`);
  });
  if (code !== 0) throw failure(`fails (exit code ${code ?? "none"})`);
  const parsed = Output.safeParse(jsonOf(textOf(stdout)));
  if (!parsed.success) throw failure("prints no credentials in the form of version 1");
  const { Expiration, ...output } = parsed.data;
  const expiresAtMs = Expiration == null ? null : Date.parse(Expiration);
  const keys = awsKeys({
    accessKeyId: output.AccessKeyId,
    secretAccessKey: output.SecretAccessKey,
    sessionToken: output.SessionToken || null,
    expiresAtMs,
  }, from);
  if (keys === null) throw failure("prints credentials that cannot be any");
  if (expiresAtMs !== null && expiresAtMs <= clock.nowMs()) {
    throw failure("prints credentials that have expired");
  }
  return keys;
}

/** Why a program could not be run; its path or name is no secret, its arguments may be. */
function reasonOf(error: ClaudeSyncError): string {
  if (error.code === "not-found") return "there is no such program";
  return error.code === "too-large" ? "it prints too much" : "it cannot be run, or does not end";
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    // No text is no JSON either.
    return "";
  }
}
