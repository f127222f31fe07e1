import type { Bytes } from "./bytes.ts";

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

/** Like `Secret` for text: a password, a token. */
export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. The caller must not print or store it by accident. */
  dangerouslyReveal(): string {
    return this.#text;
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
