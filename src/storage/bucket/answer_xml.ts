/** Reading the XML of a bucket's answers, which may come from anybody. */
import { parseXml, XmlElement as ParsedElement } from "@rgrove/parse-xml";
import { fromUtf8 } from "../../base/bytes.ts";

/** Most bytes of XML that are read: a page of 1,000 names of 1,024 bytes has about 1.5 MB. */
export const XML_BYTES_MAX = 8 * 1024 * 1024;

/** Deepest nesting of elements that is read; answers of buckets have five levels. */
export const XML_DEPTH_MAX = 32;

/** An element of an answer. Names are without namespace prefix, as the stores write them. */
export interface XmlElement {
  readonly name: string;
  /** Elements directly below of this name, in order. */
  all(name: string): XmlElement[];
  /** Text of the first element directly below of this name; null when there is none. */
  text(name: string): string | null;
}

/**
 * The root element, or null when the bytes are not well-formed XML in UTF-8, are longer than
 * `XML_BYTES_MAX`, are nested deeper than `XML_DEPTH_MAX`, or have a document type: no store sends
 * one, and what it could declare (entities) is never resolved.
 */
export function parseAnswerXml(bytes: Uint8Array): XmlElement | null {
  if (bytes.length === 0 || bytes.length > XML_BYTES_MAX) return null;
  try {
    const text = fromUtf8(bytes);
    if (text.includes("<!DOCTYPE")) return null;
    const { root } = parseXml(text, { preserveComments: false });
    return root === null || isTooDeep(root) ? null : elementOf(root);
  } catch {
    // Whatever the parser or the decoder objects to (nesting without end among it), it is no
    // answer; there is nothing else in here that could fail.
    return null;
  }
}

/** What the parser takes may still be too deep for whoever asks for the text of it. */
function isTooDeep(root: ParsedElement): boolean {
  let level: ParsedElement[] = [root];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > XML_DEPTH_MAX) return true;
    level = level.flatMap(({ children }) =>
      children.filter((child): child is ParsedElement => child instanceof ParsedElement)
    );
  }
  return false;
}

function elementOf(parsed: ParsedElement): XmlElement {
  const all = (name: string) =>
    parsed.children.filter((child): child is ParsedElement =>
      child instanceof ParsedElement && child.name === name
    );
  return {
    name: parsed.name,
    all: (name) => all(name).map(elementOf),
    text: (name) => all(name)[0]?.text ?? null,
  };
}
