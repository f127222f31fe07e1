/**
 * The form of AWS's `config` and `credentials` files, with the quirks that people's files rely on.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */

/** A section: settings by name in lower case; those of a nested group as `group.name`. */
export type IniSection = ReadonlyMap<string, string>;

/** Sections by the text between the brackets, its spaces made one each. */
export type IniFile = ReadonlyMap<string, IniSection>;

const SECTION = /^\[([^\]]*)\]\s*(?:[#;].*)?$/s;

/**
 * Reads such a file. Total: what is no section, setting or comment is passed over, as AWS's own
 * tools do. Sections of one name are one; of two settings of one name the later counts. A comment
 * begins a line, or stands after a space. Settings that are indented below one without a value
 * belong to it (`s3 =`).
 */
export function parseIni(text: string): IniFile {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | null = null;
  let group: string | null = null;
  for (const line of text.split(/\r\n|\n|\r/)) {
    const commentAt = line.search(/(?:^|\s)[#;]/);
    const content = (commentAt === -1 ? line : line.slice(0, commentAt)).trim();
    if (content === "") continue;
    const header = SECTION.exec(content);
    if (header !== null) {
      const name = header[1]!.trim().replaceAll(/\s+/g, " ");
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      group = null;
      continue;
    }
    const dividerAt = content.search(/[=:]/);
    if (section === null || dividerAt <= 0) continue;
    const isIndented = /^\s/.test(line);
    if (!isIndented) group = null;
    const name = content.slice(0, dividerAt).trim().toLowerCase();
    const value = content.slice(dividerAt + 1).trim();
    if (value === "" && !isIndented) group = name;
    else section.set(group === null ? name : `${group}.${name}`, value);
  }
  return sections;
}
