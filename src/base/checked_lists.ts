/**
 * Schemas for lists and records of any length. Zod's own note every bad element, which for hundreds
 * of thousands is more than memory and stack take; these give up at the first one.
 */
import * as z from "zod/mini";

/** An array of `element`. */
export function listOf<Element>(element: z.ZodMiniType<Element>) {
  return z.pipe(
    z.custom<readonly unknown[]>(Array.isArray),
    z.transform((values, context): Element[] => {
      const elements: Element[] = [];
      for (const value of values) {
        const parsed = element.safeParse(value);
        if (!parsed.success) {
          context.issues.push({ code: "custom", input: undefined });
          break;
        }
        elements.push(parsed.data);
      }
      return elements;
    }),
  );
}

/** An object whose members, whatever their names, are all `value`; a member `__proto__` is none. */
export function recordOf<Value>(value: z.ZodMiniType<Value>) {
  return z.pipe(
    z.custom<Readonly<Record<string, unknown>>>(isRecord),
    z.transform((members, context): Record<string, Value> => {
      const record: Record<string, Value> = {};
      for (const [name, member] of Object.entries(members)) {
        if (name === "__proto__") continue;
        const parsed = value.safeParse(member);
        if (!parsed.success) {
          context.issues.push({ code: "custom", input: undefined });
          break;
        }
        record[name] = parsed.data;
      }
      return record;
    }),
  );
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
