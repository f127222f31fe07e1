import type { Bytes } from "../base/bytes.ts";

const SHOWN = "[secret]";

/** Holds secret bytes and shows none of them when printed, logged, interpolated or serialised. */
export class Secret {
  readonly #bytes: Bytes;

  /** Keeps a copy of `bytes`. */
  constructor(bytes: Bytes) {
    this.#bytes = bytes.slice();
  }

  /** A copy of the bytes themselves. The caller must not print or store them by accident. */
  dangerouslyReveal(): Bytes {
    return this.#bytes.slice();
  }

  /** Always `[secret]`. */
  toString(): string {
    return SHOWN;
  }

  /** Always `[secret]`. */
  toJSON(): string {
    return SHOWN;
  }

  /** Always `[secret]`; what `node:util` inspect and the consoles of both runtimes ask for. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return SHOWN;
  }
}
