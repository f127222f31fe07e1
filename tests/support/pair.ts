/** Two machines over one folder, and what is said in the one session that most tests are about. */
import { type MachineOptions, said, SyncMachine } from "./sync_machine.ts";

/** The session. */
export const ID = "11111111-1111-4111-8111-111111111111";

/** When it began: a day before these tests run. */
export const T0 = Date.now() - 86_400_000;

/** Makes a vault on anna and lets bert join it; `options`: of both. */
export async function pair(
  dir: string,
  options: Partial<MachineOptions> = {},
): Promise<[SyncMachine, SyncMachine]> {
  const anna = new SyncMachine({ ...options, name: "anna", dir });
  const bert = new SyncMachine({ ...options, name: "bert", dir });
  await anna.init();
  await bert.join(anna);
  return [anna, bert];
}

/** What the user says in a machine's project, and the answer a millisecond later. */
export function turn(
  { project }: Pick<SyncMachine, "project">,
  text: string,
  atMs: number,
  session = ID,
): string {
  const facts = { session, cwd: project, atMs };
  return said("user", text, facts) +
    said("assistant", `echo ${text}`, { ...facts, atMs: atMs + 1 });
}
