declare const brand: unique symbol;

/** A session's id: a UUID in lower case, which is also its transcript's file name. */
export type SessionId = string & { readonly [brand]: "SessionId" };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Gives the id, or null unless `text` is a lower-case 8-4-4-4-12 UUID and nothing else. */
export function parseSessionId(text: string): SessionId | null {
  return UUID.test(text) ? text as SessionId : null;
}
