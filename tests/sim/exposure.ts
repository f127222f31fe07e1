/** What the simulated store has shown to a run of the program, for the judgement of it. */
import type { LieKind } from "./options.ts";

/** What one run of the program was shown. */
export interface Exposure {
  /** Kinds of lies that it was shown. */
  readonly lies: Set<LieKind>;
  /** What it must have noticed, by object; what it has read again and got right is forgiven. */
  readonly mustNotice: Map<string, string>;
  /** What says that there is a vault was withheld from it. */
  isVaultHidden: boolean;
  /** A call of it has failed, which is no lie. */
  hasFailed: boolean;
  /** Names below `log/` that a look at the logs has shown it, or that it has put. */
  readonly logNames: Set<string>;
  /** It has listed `log/`. */
  hasLooked: boolean;
}
