/** Which addresses in a credential file are believed: the file may come from anybody. */

/** Where service accounts' files of ten years ago ask for tokens; it is the same service. */
const OLD_TOKEN_URI = "https://accounts.google.com/o/oauth2/token";
/** Where tokens are given out. */
export const TOKEN_URI = "https://oauth2.googleapis.com/token";

/**
 * The address, if it is one of Google's services: `https`, below googleapis.com, the usual port,
 * without a user. Null for all others: whoever gets such a request gets a secret.
 */
export function googleUrl(text: string): URL | null {
  const url = URL.parse(text === OLD_TOKEN_URI ? TOKEN_URI : text);
  if (url === null || url.protocol !== "https:" || url.port !== "") return null;
  if (url.username !== "" || url.password !== "" || url.hash !== "") return null;
  return /^([a-z0-9-]+\.)+googleapis\.com$/.test(url.hostname) ? url : null;
}

/** Where clouds other than Google give their machines tokens, besides the machine itself. */
const METADATA_ADDRESS = "169.254.169.254";

/**
 * The address that a foreign token may be fetched from. It is the other provider's, so any server
 * will do that is reached by `https`; by `http` only the machine itself and the metadata service of
 * its cloud. Null for all others.
 */
export function subjectTokenUrl(text: string): URL | null {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return null;
  if (url.protocol === "https:") return url;
  const { hostname } = url;
  const isNear = hostname === METADATA_ADDRESS || hostname === "localhost" ||
    hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return url.protocol === "http:" && isNear ? url : null;
}
