/** Credentials that show nothing of themselves. */
import type { AwsCredentials } from "../aws_credentials.ts";

/** What a header can carry; AWS's own are of a few kinds of letters only. */
const PRINTABLE = /^[!-~]+$/;
/** Longest id or secret of any service, in characters. */
export const KEY_LENGTH_MAX = 1024;
/** Longest session token; AWS's have up to a few thousand characters. */
export const SESSION_TOKEN_LENGTH_MAX = 32 * 1024;

/** The values, before they are hidden. */
export interface KeyValues {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | null;
  readonly expiresAtMs?: number | null;
}

/**
 * Makes credentials whose printed, logged or serialised form holds nothing but where they are from.
 * Null when the values can be no credentials: empty, too long, not printable.
 */
export function awsKeys(values: KeyValues, from: string): AwsCredentials | null {
  const { accessKeyId, secretAccessKey, sessionToken = null, expiresAtMs = null } = values;
  const isGood = isHeaderText(accessKeyId, KEY_LENGTH_MAX) &&
    isHeaderText(secretAccessKey, KEY_LENGTH_MAX) &&
    (sessionToken === null || isHeaderText(sessionToken, SESSION_TOKEN_LENGTH_MAX)) &&
    (expiresAtMs === null || Number.isFinite(expiresAtMs));
  return isGood
    ? new Keys({ accessKeyId, secretAccessKey, sessionToken, expiresAtMs }, from)
    : null;
}

function isHeaderText(text: string, lengthMax: number): boolean {
  return text.length <= lengthMax && PRINTABLE.test(text);
}

class Keys implements AwsCredentials {
  readonly from: string;
  readonly #values: Required<KeyValues>;

  constructor(values: Required<KeyValues>, from: string) {
    this.from = from;
    this.#values = values;
  }

  get accessKeyId(): string {
    return this.#values.accessKeyId;
  }

  get secretAccessKey(): string {
    return this.#values.secretAccessKey;
  }

  get sessionToken(): string | null {
    return this.#values.sessionToken;
  }

  get expiresAtMs(): number | null {
    return this.#values.expiresAtMs;
  }
}
