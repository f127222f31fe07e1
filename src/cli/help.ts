import { ENVIRONMENT, EXIT_TEXTS, GLOBAL_FLAGS } from "./help_globals.ts";
import { HELP_PAGES, type HelpPage, type HelpTopic, SECTIONS } from "./help_pages.ts";
import { displayWidth } from "./terminal_text.ts";

/** Columns that help is written for. */
const WIDTH = 80;

const EVERYWHERE = [0, 1, 2, 70, 130] as const;

/** The page's name for the words after `help`, or null when there is none. */
export function helpTopic(words: readonly string[]): HelpTopic | null {
  const name = words.join(" ");
  return isTopic(name) ? name : null;
}

function isTopic(name: string): name is HelpTopic {
  return Object.hasOwn(HELP_PAGES, name);
}

/** The overview: all commands, global flags, environment. */
export function overviewLines(): string[] {
  const lines = [
    "claude-sync keeps your Claude Code sessions on all your machines, encrypted.",
    "",
    "Usage: claude-sync COMMAND [FLAGS]",
  ];
  for (const [title, commands] of SECTIONS) {
    lines.push("", title);
    lines.push(...pairs(commands.map((name) => [name, HELP_PAGES[name].brief] as const)));
  }
  lines.push("", "FLAGS", ...pairs(GLOBAL_FLAGS));
  lines.push("", "ENVIRONMENT", ...pairs(ENVIRONMENT));
  lines.push("", "Exit codes and examples: claude-sync help COMMAND");
  return lines;
}

/** One command's page. */
export function pageLines(topic: HelpTopic): string[] {
  const page: HelpPage = HELP_PAGES[topic];
  const lines = [`claude-sync ${topic} - ${page.brief}`, "", `Usage: claude-sync ${page.usage}`];
  for (const paragraph of page.purpose) lines.push("", ...wrap(paragraph, WIDTH));
  const parts = Object.keys(HELP_PAGES).filter((name) => name.startsWith(`${topic} `));
  if (parts.length > 0) {
    lines.push("", "COMMANDS");
    lines.push(
      ...pairs(parts.filter(isTopic).map((name) => [name, HELP_PAGES[name].brief] as const)),
    );
  }
  if (page.flags.length > 0) lines.push("", "FLAGS", ...pairs(page.flags));
  lines.push("", "GLOBAL FLAGS", ...pairs(GLOBAL_FLAGS));
  lines.push("", "EXAMPLES");
  for (const [command, about] of page.examples) {
    lines.push(...(about === "" ? [] : [`  # ${about}`]), `  ${command}`);
  }
  const exits = [...EVERYWHERE, ...page.exits].sort((a, b) => a - b);
  lines.push("", "EXIT CODES");
  lines.push(...pairs(exits.map((code) => [String(code), EXIT_TEXTS[code] ?? ""] as const)));
  return lines;
}

/** Two columns, the second one wrapped. */
function pairs(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, about]) =>
    wrap(about, WIDTH - left).map((line, at) =>
      (at === 0 ? `  ${name}`.padEnd(left) : " ".repeat(left)) + line
    )
  );
}

/** Breaks at spaces into lines of at most `columns`; a longer word stays whole. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
