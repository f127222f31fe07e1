/** Signature version 4, by aws4fetch, behind our own rules. */
import { AwsV4Signer } from "aws4fetch";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../platform/types.ts";
import type { Refusal, RequestSigner } from "../bucket/signer.ts";
import type { StoreOptions } from "../object_store.ts";
import type { AwsCredentials, AwsCredentialSource } from "./aws_credentials.ts";

/** Clocks closer than this are not why a signature is refused: the limit is 15 minutes. */
export const SKEW_MS_MIN = 60_000;

/** Codes for credentials that others may help against: expired, rotated, deleted. */
const STALE_CREDENTIALS = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "InvalidToken",
  "InvalidAccessKeyId",
]);
const WRONG_REGION = new Set([
  "AuthorizationHeaderMalformed",
  "PermanentRedirect",
  "TemporaryRedirect",
  "IllegalLocationConstraintException",
]);
const WRONG_TIME = new Set(["RequestTimeTooSkewed", "RequestExpired"]);

/** The region of a bucket, as far as it is known. */
export interface RegionState {
  readonly current: string;
  /** Takes what the store said; not called where the region is fixed. */
  learn(region: string): void;
  /** Whether the store's word on the region is to be ignored. */
  readonly isFixed: boolean;
}

/** What the signer needs. */
export interface SigV4Options {
  readonly credentials: AwsCredentialSource;
  readonly region: RegionState;
  readonly clock: Clock;
  /** Takes a sentence that the user should see. */
  readonly note: (message: string) => void;
}

/** Makes the signer of one bucket's requests. */
export function sigV4Signer(options: SigV4Options): RequestSigner {
  const { credentials, region, clock, note } = options;
  /** Derived keys by secret, day and region: four HMACs saved with each request. */
  const derivedKeys = new Map<string, ArrayBuffer>();
  let skewMs = 0;

  /** Corrects the clock once a difference shows that explains the refusal. */
  function learnTime({ dateMs, sentHeaders }: Refusal): boolean {
    const signedMs = parseDatetime(sentHeaders["x-amz-date"] ?? "");
    if (dateMs === null || signedMs === null) return false;
    if (Math.abs(dateMs - signedMs) < SKEW_MS_MIN) return false;
    const isFirst = skewMs === 0;
    skewMs = dateMs - clock.nowMs();
    if (isFirst) note(skewNote(skewMs));
    return true;
  }

  return {
    async sign({ method, url, headers, bodySha256 }, signOptions = {}) {
      const keys = await credentials.credentials({ ...signOptions, refresh: false });
      const unsigned = { ...headers, "x-amz-content-sha256": bodySha256 };
      const signer = new AwsV4Signer({
        method,
        url: url.href,
        headers: unsigned,
        accessKeyId: keys.accessKeyId,
        secretAccessKey: keys.secretAccessKey,
        ...(keys.sessionToken === null ? {} : { sessionToken: keys.sessionToken }),
        service: "s3",
        region: region.current,
        cache: derivedKeys,
        datetime: formatDatetime(clock.nowMs() + skewMs),
      });
      const signed = await signer.sign();
      assert(signed.url.href === url.href, "signing leaves the URL alone");
      return Object.fromEntries(signed.headers);
    },

    async refused(refusal, refusedOptions = {}) {
      const { code, status } = refusal;
      if (WRONG_REGION.has(code ?? "") || [301, 307, 308].includes(status)) {
        return learnRegion(region, refusal);
      }
      if (WRONG_TIME.has(code ?? "")) return learnTime(refusal);
      if (STALE_CREDENTIALS.has(code ?? "")) {
        return await haveOtherCredentials(credentials, refusal, refusedOptions);
      }
      return false;
    },
  };
}

function learnRegion(region: RegionState, { region: told, sentHeaders }: Refusal): boolean {
  if (region.isFixed) return false;
  const signedFor = credentialOf(sentHeaders)?.region ?? null;
  if (told !== null && told !== signedFor) region.learn(told);
  return region.current !== signedFor;
}

/** Credentials other than the refused ones: somebody's, or fresh ones. */
async function haveOtherCredentials(
  source: AwsCredentialSource,
  { sentHeaders }: Refusal,
  options: StoreOptions,
): Promise<boolean> {
  const wereSent = (keys: AwsCredentials) =>
    keys.accessKeyId === credentialOf(sentHeaders)?.accessKeyId &&
    keys.sessionToken === (sentHeaders["x-amz-security-token"] ?? null);
  if (!wereSent(await source.credentials({ ...options, refresh: false }))) return true;
  return !wereSent(await source.credentials({ ...options, refresh: true }));
}

/** Whose key signed for which region; null when the headers are not ours. */
function credentialOf(headers: Readonly<Record<string, string>>) {
  const written = /Credential=([^,]+)\/\d{8}\/([^/,]+)\/s3\/aws4_request,/.exec(
    headers["authorization"] ?? "",
  );
  return written === null ? null : { accessKeyId: written[1], region: written[2] };
}

/** `20261124T164218Z`. */
function formatDatetime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[:-]|\.\d{3}/g, "");
}

function parseDatetime(text: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  return Date.UTC(year!, month! - 1, day, hour, minute, second);
}

function skewNote(skewMs: number): string {
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  const [count, unit] = minutes < 120
    ? [minutes, "minutes"]
    : minutes < 48 * 60
    ? [Math.round(minutes / 60), "hours"]
    : [Math.round(minutes / 60 / 24), "days"];
  const direction = skewMs > 0 ? "behind" : "ahead of";
  return `This machine's clock is ${count} ${unit} ${direction} the store's, whose time is used ` +
    "now: set it right";
}
