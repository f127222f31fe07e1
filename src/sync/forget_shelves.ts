/**
 * Which plans and memories are forgotten with sessions. A memory belongs to its project and goes
 * with all of it. A plan may be named by several sessions and goes when no other one can name it:
 * as none can of those that are not here, it stays while its project has a session that is only in
 * the vault.
 */
import type { LocalSession } from "../sessions/discover.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { memoryShelfId, planShelfId } from "../sessions/shelf.ts";
import { type ForgetFacts, type Forgettable, forgettableSessions } from "./forget_choice.ts";
import { PlanNames } from "./plan_names.ts";
import { planOfShelf } from "./shelf_targets.ts";

/**
 * Ids of the shelves that go with the sessions `going`. `whole`: the project of which all sessions
 * were asked for; null when none was.
 */
export function shelvesGoing(
  facts: ForgetFacts,
  going: ReadonlySet<string>,
  whole: ProjectIdentity | null,
): string[] {
  const { vault, targets, local, projects } = facts;
  const shelves: string[] = [];
  const stored = new Set<string>(targets.shelves.map(({ id }) => id));
  const staying = [...forgettableSessions(facts).values()].filter(({ id }) => !going.has(id));
  const keyOf = (session: string) => {
    const project = projects.ofVaultSession(session);
    return project === null ? null : projectKey(project);
  };
  const isWhole = whole !== null && !staying.some(({ root }) => keyOf(root) === projectKey(whole));
  if (isWhole && stored.has(memoryShelfId(whole))) shelves.push(memoryShelfId(whole));
  const plans = new PlanNames(vault.context.platform.fs, vault.database);
  const here = local.all().filter(({ id }) => !vault.forgotten.isSession(id));
  let named: { readonly going: Set<string>; readonly staying: Set<string> } | null = null;
  for (const shelf of targets.shelves) {
    const plan = planOfShelf(shelf.id, shelf.files);
    if (plan === null) continue;
    named ??= namedPlans(plans, here, going);
    const key = keyOf(shelf.id);
    const isAsked = named.going.has(shelf.id) ||
      (isWhole && key !== null && key === projectKey(whole));
    if (!isAsked || named.staying.has(shelf.id)) continue;
    const isUnsure = ({ id, root }: Forgettable) =>
      (key === null || keyOf(root) === key) && !here.some((session) => session.id === id);
    if (!staying.some(isUnsure)) shelves.push(shelf.id);
  }
  return shelves;
}

/** Shelves of the plans that sessions here name: of those that go, and of the others. */
function namedPlans(
  plans: PlanNames,
  here: readonly LocalSession[],
  going: ReadonlySet<string>,
): { readonly going: Set<string>; readonly staying: Set<string> } {
  const named = { going: new Set<string>(), staying: new Set<string>() };
  for (const [plan, sessions] of plans.namers(here)) {
    for (const { id } of sessions) {
      (going.has(id) ? named.going : named.staying).add(planShelfId(plan));
    }
  }
  return named;
}
