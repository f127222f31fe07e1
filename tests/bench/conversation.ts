/** Made-up conversations: records with the fields and the repetitions of real transcripts. */
import { join } from "node:path";
import { Choices } from "./random.ts";

/** A made-up project: a folder, and source files that its sessions quote. */
export interface Project {
  readonly cwd: string;
  readonly files: readonly { readonly path: string; readonly lines: readonly string[] }[];
  readonly names: readonly string[];
  readonly phrases: readonly string[];
}

const STEMS = (
  "ack ban cor dal eft fir gol hum ink jot kel lum mar nib opt par quo rel sig tor urn vex wid yar"
).split(" ");
const PLAIN = (
  "the of and to a in is that it was for on are as with they be at one have this from " +
  "or had by but what some we can out other were all there when up use your how said " +
  "an each she which do their time if will way about many then them write would like " +
  "so these long make thing see him two has look more day could go come did number " +
  "sound no most people my over know water than call first"
).split(" ");

function word(choices: Choices): string {
  let made = "";
  for (let parts = choices.between(2, 4); parts > 0; parts--) made += choices.one(STEMS);
  return made;
}

function phrase(choices: Choices, rare: readonly string[]): string {
  const words: string[] = [];
  for (let left = choices.between(5, 18); left > 0; left--) {
    words.push(choices.fraction() < 0.75 ? choices.early(PLAIN) : choices.early(rare));
  }
  return `${words.join(" ")}.`;
}

function codeLine(choices: Choices, names: readonly string[]): string {
  const [left, right] = [choices.early(names), choices.early(names)];
  const indent = "  ".repeat(choices.between(0, 4));
  switch (choices.between(0, 5)) {
    case 0:
      return `${indent}const ${choices.one(names)} = await ${left}(${right}, ${
        choices.between(0, 99)
      });`;
    case 1:
      return `${indent}if (${left}.${right} !== null) return ${choices.one(names)};`;
    case 2:
      return `${indent}for (const ${left} of ${right}) ${choices.early(names)}.push(${left});`;
    case 3:
      return `${indent}// ${choices.one(names)} ${choices.early(PLAIN)} ${choices.early(PLAIN)}`;
    case 4:
      return `${indent}throw new Error("${left} ${choices.early(PLAIN)} ${right}");`;
    default:
      return `${indent}}`;
  }
}

/** The project number `index`, in a folder of its own below `parent`. */
export function makeProject(index: number, parent: string): Project {
  const choices = new Choices(index * 7919);
  const names = Array.from({ length: 400 }, () => word(choices));
  const phrases = Array.from({ length: 4_000 }, () => phrase(choices, names));
  const files = Array.from({ length: choices.between(20, 60) }, () => ({
    path: `src/${choices.one(names)}/${choices.one(names)}.ts`,
    lines: Array.from(
      { length: Math.floor(Math.min(1_500, choices.around(120, 0.9))) + 5 },
      () => codeLine(choices, names),
    ),
  }));
  return { cwd: join(parent, `${choices.one(names)}-${index}`), files, names, phrases };
}

/** Who talks, where and since when. */
export interface Setting {
  readonly choices: Choices;
  readonly project: Project;
  readonly sessionId: string;
  readonly startMs: number;
  /** Set for an agent's own transcript. */
  readonly agentId?: string;
}

/** One transcript's records, a turn at a time. */
export class Conversation {
  readonly #choices: Choices;
  readonly #setting: Setting;
  #parent: string | null = null;
  #nowMs: number;

  constructor(setting: Setting) {
    this.#choices = setting.choices;
    this.#setting = setting;
    this.#nowMs = setting.startMs;
  }

  /** Time of the last record. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** A question, some tool calls and an answer: whole lines, of `roomBytes` or somewhat more. */
  turn(roomBytes: number): string {
    const question = this.#prose(1, 5);
    let text = this.#record("user", { message: { role: "user", content: question } });
    for (let left = this.#choices.between(1, 9); left > 0 && text.length < roomBytes; left--) {
      text += this.#step(roomBytes - text.length);
    }
    return text + this.#assistant({ type: "text", text: this.#prose(2, 14) });
  }

  #prose(low: number, high: number): string {
    const phrases: string[] = [];
    for (let left = this.#choices.between(low, high); left > 0; left--) {
      // Half of what is said was never said before.
      const { phrases: known, names } = this.#setting.project;
      const isNew = this.#choices.fraction() < 0.5;
      phrases.push(isNew ? phrase(this.#choices, names) : this.#choices.one(known));
    }
    return phrases.join(" ");
  }

  #step(roomBytes: number): string {
    const kind = this.#choices.fraction();
    const thought = this.#choices.fraction() < 0.3
      ? this.#assistant({
        type: "thinking",
        thinking: this.#prose(2, 8),
        signature: this.#choices.base64(this.#choices.between(200, 800)),
      })
      : "";
    if (kind < 0.45) return thought + this.#read(roomBytes);
    if (kind < 0.65) return thought + this.#edit(roomBytes);
    if (kind < 0.655 && roomBytes > 100_000) return thought + this.#image();
    return thought + this.#shell(roomBytes);
  }

  #read(roomBytes: number): string {
    const { path, lines } = this.#choices.early(this.#setting.project.files);
    const shown = lines.slice(0, Math.max(5, Math.floor(roomBytes / 90)));
    const filePath = join(this.#setting.project.cwd, path);
    const content = shown.join("\n");
    const numbered = shown.map((line, at) => `${String(at + 1).padStart(6)}→${line}`).join("\n");
    const file = { filePath, content, numLines: shown.length, startLine: 1 };
    return this.#tool("Read", { file_path: filePath }, numbered, { type: "text", file });
  }

  #edit(roomBytes: number): string {
    const { path, lines } = this.#choices.early(this.#setting.project.files);
    const filePath = join(this.#setting.project.cwd, path);
    const at = this.#choices.between(0, lines.length - 1);
    const [oldText, newText] = [lines[at]!, codeLine(this.#choices, this.#setting.project.names)];
    const originalFile = lines.join("\n").slice(0, roomBytes);
    const result = { filePath, oldString: oldText, newString: newText, originalFile };
    const input = { file_path: filePath, old_string: oldText, new_string: newText };
    return this.#tool("Edit", input, `The file ${filePath} has been updated.`, result);
  }

  #shell(roomBytes: number): string {
    const lines: string[] = [];
    const wanted = Math.min(roomBytes, this.#choices.around(700, 1.2));
    for (let size = 0; size < wanted;) {
      const { path } = this.#choices.early(this.#setting.project.files);
      const place = this.#choices.between(1, 900);
      const said = this.#choices.one(this.#setting.project.phrases);
      const line = `${path}:${place} ${said} ${this.#choices.hex(8)}`;
      lines.push(line);
      size += line.length;
    }
    const stdout = lines.join("\n");
    const command = `deno test ${this.#choices.one(this.#setting.project.names)}`;
    return this.#tool("Bash", { command }, stdout, { stdout, stderr: "", interrupted: false });
  }

  #image(): string {
    const data = this.#choices.base64(this.#choices.between(20_000, 90_000));
    const content = [{ type: "image", source: { type: "base64", media_type: "image/png", data } }];
    const result = { type: "image", file: { base64: data, type: "image/png" } };
    return this.#tool("Read", { file_path: "/tmp/screen.png" }, content, result);
  }

  #tool(name: string, input: object, content: unknown, result: object): string {
    const id = `toolu_01${this.#choices.hex(22)}`;
    const call = this.#assistant({ type: "tool_use", id, name, input });
    return call + this.#record("user", {
      message: { role: "user", content: [{ type: "tool_result", tool_use_id: id, content }] },
      toolUseResult: result,
    });
  }

  #assistant(block: object): string {
    const choices = this.#choices;
    const message = {
      model: "claude-sonnet-4-5-20250929",
      id: `msg_01${choices.hex(22)}`,
      type: "message",
      role: "assistant",
      content: [block],
      stop_reason: null,
      usage: {
        input_tokens: choices.between(1, 12),
        cache_read_input_tokens: choices.between(10_000, 160_000),
        output_tokens: choices.between(1, 900),
      },
    };
    return this.#record("assistant", { requestId: `req_011${choices.hex(21)}`, message });
  }

  #record(type: string, fields: object): string {
    const uuid = this.#choices.uuid();
    const { sessionId, agentId, project } = this.#setting;
    this.#nowMs += this.#choices.between(1, 40);
    const record = {
      parentUuid: this.#parent,
      isSidechain: agentId !== undefined,
      ...(agentId === undefined ? {} : { agentId }),
      userType: "external",
      cwd: project.cwd,
      sessionId,
      version: "2.1.330",
      gitBranch: "main",
      type,
      ...fields,
      uuid,
      timestamp: new Date(this.#nowMs).toISOString(),
    };
    this.#parent = uuid;
    return `${JSON.stringify(record)}\n`;
  }
}
