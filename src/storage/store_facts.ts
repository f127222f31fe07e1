import type { ObjectStore } from "./object_store.ts";

/** One thing that is known about a store, for people: `region` is `eu-west-1`. No secret. */
export interface StoreFact {
  readonly name: string;
  readonly value: string;
}

/** A store whose driver can tell more than its label. */
export interface DescribedStore extends ObjectStore {
  /** What is known now, without asking the store; more after a request than before. */
  facts(): readonly StoreFact[];
}

/** What the driver of `store` knows about it; nothing for drivers that know no more. */
export function factsOf(store: ObjectStore | DescribedStore): readonly StoreFact[] {
  return "facts" in store ? store.facts() : [];
}
