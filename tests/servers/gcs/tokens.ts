/**
 * The access tokens that the fake of Google Cloud Storage has given out.
 *
 * @module
 */
import { randomBytes } from "node:crypto";

/** Scopes that allow changing objects, and those that allow reading only. */
const WRITING = ["devstorage.read_write", "devstorage.full_control", "cloud-platform"];
const READING = ["devstorage.read_only"];
const SCOPE_PREFIX = "https://www.googleapis.com/auth/";

/** What a token lets its bearer do with objects. */
export type Access = "write" | "read" | "none";

/** Whom a token stands for, and until when. */
export interface Grant {
  /** A service account's address, a user's, or a principal of an identity pool. */
  readonly principal: string;
  readonly scopes: readonly string[];
  readonly expiresMs: number;
}

/** The table of tokens. */
export class Tokens {
  readonly #grants = new Map<string, Grant>();

  /** A new token. */
  issue(grant: Grant): string {
    const token = `ya29.${randomBytes(24).toString("base64url")}`;
    this.#grants.set(token, grant);
    return token;
  }

  /** What a token stands for; null when it is unknown or its time is over. */
  grantOf(token: string, nowMs: number): Grant | null {
    const grant = this.#grants.get(token);
    return grant === undefined || grant.expiresMs <= nowMs ? null : grant;
  }

  /** Makes every token worthless. */
  revokeAll(): void {
    this.#grants.clear();
  }
}

/** What these scopes allow. */
export function accessOf(scopes: readonly string[]): Access {
  const has = (names: readonly string[]) => scopes.some((s) => names.includes(scopeName(s)));
  return has(WRITING) ? "write" : has(READING) ? "read" : "none";
}

/** Whether all of these are scopes of Google's, at least one. */
export function areKnownScopes(scopes: readonly string[]): boolean {
  return scopes.length > 0 &&
    scopes.every((scope) =>
      scope.startsWith(SCOPE_PREFIX) && [...WRITING, ...READING].includes(scopeName(scope))
    );
}

function scopeName(scope: string): string {
  return scope.slice(SCOPE_PREFIX.length);
}
