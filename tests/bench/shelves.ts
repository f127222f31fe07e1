/** Plans, memories and prompts beside a corpus's sessions, as many as a year of work leaves. */
import { appendFileSync, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import type { Corpus } from "./corpus.ts";

/** How many plans, each named by a session of its own. */
export const PLANS = 500;
/** How many prompts, of all sessions in turn. */
export const PROMPTS = 50_000;

const MEMORY_FILES = ["MEMORY.md", "topics/build.md"];
const MINUTE_MS = 60_000;

/** Writes them below `<home>/.claude`; every project with a session gets a memory. */
export function writeShelves(home: string, corpus: Corpus, nowMs: number): void {
  const configDir = join(home, ".claude");
  for (let index = 0; index < PLANS; index++) {
    const session = corpus.sessions[(index * 3) % corpus.sessions.length]!;
    const plan = `quiet-walking-hare-${index}`;
    const seconds = statSync(session.path).mtimeMs / 1000;
    const text = { role: "user", content: "plan it" };
    const record = { type: "user", sessionId: session.id, cwd: session.project.cwd, slug: plan };
    appendFileSync(session.path, JSON.stringify({ ...record, message: text }) + "\n");
    utimesSync(session.path, seconds, seconds);
    writeAt(join(configDir, "plans", `${plan}.md`), `# ${plan}\n`.repeat(100), seconds);
  }
  for (const cwd of new Set(corpus.sessions.map(({ project }) => project.cwd))) {
    for (const name of MEMORY_FILES) {
      const path = join(configDir, "projects", slugOf(cwd), "memory", name);
      writeAt(path, `- ${cwd} ${name}\n`.repeat(40), nowMs / 1000 - 3600);
    }
  }
  const lines = Array.from({ length: PROMPTS }, (_, index) => {
    const { id, project } = corpus.sessions[index % corpus.sessions.length]!;
    const display = `prompt ${index}: look at this again, and at what it is called from`;
    const timestamp = nowMs - (PROMPTS - index) * MINUTE_MS;
    const line = { display, pastedContents: {}, timestamp, project: project.cwd, sessionId: id };
    return JSON.stringify(line) + "\n";
  });
  writeFileSync(join(configDir, "history.jsonl"), lines.join(""));
}

function writeAt(path: string, text: string, seconds: number): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  utimesSync(path, seconds, seconds);
}
