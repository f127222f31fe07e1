/** One page of a bucket's list. */
import { parseAnswerXml } from "./answer_xml.ts";

/** An object as a bucket lists it; its key may be anybody's. */
export interface ListedKey {
  readonly key: string;
  readonly sizeBytes: number;
}

/** What one list request gave. */
export interface ListPage {
  readonly keys: readonly ListedKey[];
  /** Whether there is more. */
  readonly isTruncated: boolean;
  /** For the next request of version 2; null when the store gave none. */
  readonly continuationToken: string | null;
}

/** Null when the bytes are no page of a list. Both versions of the request are answered like it. */
export function parseListPage(bytes: Uint8Array): ListPage | null {
  const root = parseAnswerXml(bytes);
  if (root === null || root.name !== "ListBucketResult") return null;
  const decode = root.text("EncodingType") === "url" ? decodeKey : (key: string) => key;
  const keys: ListedKey[] = [];
  for (const contents of root.all("Contents")) {
    const written = contents.text("Key");
    const size = contents.text("Size") ?? "";
    const key = written === null ? null : decode(written);
    if (key === null || !/^\d{1,15}$/.test(size)) return null;
    keys.push({ key, sizeBytes: Number(size) });
  }
  const truncated = root.text("IsTruncated");
  if (truncated !== "true" && truncated !== "false") return null;
  return {
    keys,
    isTruncated: truncated === "true",
    continuationToken: root.text("NextContinuationToken"),
  };
}

/** We do not ask for encoded names; some stores encode them nevertheless. */
function decodeKey(written: string): string | null {
  try {
    return decodeURIComponent(written.replaceAll("+", " "));
  } catch {
    // Not what it says it is; the page is refused.
    return null;
  }
}
