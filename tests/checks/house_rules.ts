/**
 * The checker behind `tests/tidy_test.ts`: what one source file must look like, read from its
 * syntax tree with Deno's own linter. The tables it works by are in that test.
 */
import { posix } from "node:path";

/** What the files of one layer may import besides each other. */
export interface Layer {
  /**
   * A folder with its slash, or one file. The first layer that fits a file is its layer. With a
   * star for the last folder's name, each such folder is a layer of its own.
   */
  readonly at: string;
  /** Folders (ending in a slash) and files of the project. */
  readonly mayImport: readonly string[];
  /**
   * Bare module names. `"node:x#name"` allows only that named import, `"node:"` all of Node and
   * `"package/"` all of a package's parts.
   */
  readonly modules: readonly string[];
}

/** A word of code that only some places may use. */
export interface Ban {
  /**
   * A global (`Deno`), a member (`Date.now`), or a call (`fetch()`). `new Date()` means: no
   * arguments.
   */
  readonly name: string;
  /** Files and folders where it is allowed. */
  readonly allowedIn: readonly string[];
  /** What to write in its place. */
  readonly instead: string;
}

/** Everything that the checker is told. */
export interface HouseRules {
  readonly layers: readonly Layer[];
  /** Imports that every layer may use, in the same notation. */
  readonly everyone: Pick<Layer, "mayImport" | "modules">;
  readonly bans: readonly Ban[];
  readonly vagueFileNames: readonly string[];
  readonly fileLinesMax: number;
  readonly functionLinesMax: number;
  readonly lineColumnsMax: number;
}

type Report = (offset: number, message: string) => void;

interface Checked {
  readonly path: string;
  readonly text: string;
  readonly rules: HouseRules;
  readonly report: Report;
}

/** Every breach in one file as `path:line: what is wrong; what to do instead`, in order. */
export function violations(rules: HouseRules, path: string, text: string): string[] {
  const found: { line: number; message: string }[] = [];
  const report: Report = (offset, message) => {
    found.push({ line: text.slice(0, offset).split("\n").length, message });
  };
  const checked: Checked = { path, text, rules, report };
  checkFileName(checked);
  checkSizes(checked);
  const rule: Deno.lint.Rule = { create: (context) => visitors(checked, context) };
  Deno.lint.runPlugin({ name: "house", rules: { rules: rule } }, path, text);
  found.sort((a, b) => a.line - b.line);
  return found.map(({ line, message }) => `${path}:${line}: ${message}`);
}

function isSource(path: string): boolean {
  return path.startsWith("src/");
}

function isWithin(path: string, places: readonly string[]): boolean {
  return places.some((place) => place.endsWith("/") ? path.startsWith(place) : path === place);
}

function checkFileName({ path, rules, report }: Checked): void {
  const stem = posix.basename(path, ".ts");
  if (!/^[a-z0-9_]+$/.test(stem)) report(0, "file name is not snake_case; rename the file");
  if (rules.vagueFileNames.includes(stem)) {
    report(0, `"${stem}" says nothing; name the file after the one idea that it holds`);
  }
}

function checkSizes({ text, rules, report }: Checked): void {
  const lines = text.split("\n");
  const count = text.endsWith("\n") ? lines.length - 1 : lines.length;
  if (count > rules.fileLinesMax) {
    report(text.length - 1, `${count} lines, allowed are ${rules.fileLinesMax}; split the file`);
  }
  let offset = 0;
  for (const line of lines) {
    // An address cannot be broken.
    if ([...line].length > rules.lineColumnsMax && !line.includes("https://")) {
      report(offset, `longer than ${rules.lineColumnsMax} columns; break the line`);
    }
    offset += line.length + 1;
  }
}

function visitors(checked: Checked, context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const { report } = checked;
  const inSource = isSource(checked.path);
  return {
    Program(node) {
      checkComments(checked, context.sourceCode.getAllComments());
      if (!inSource) return;
      checkDocComments(checked, node.body, context.sourceCode.getAllComments());
      if (checked.path !== "src/main.ts") checkTopLevel(checked, node.body);
    },
    ImportDeclaration(node) {
      const names = node.specifiers.map((specifier) =>
        specifier.type === "ImportSpecifier" ? nameOf(specifier.imported) : "*"
      );
      checkImport(checked, node.range[0], node.source.value, names);
    },
    ExportNamedDeclaration(node) {
      if (node.source) checkImport(checked, node.range[0], node.source.value, ["*"]);
    },
    ExportAllDeclaration(node) {
      checkImport(checked, node.range[0], node.source.value, ["*"]);
    },
    ImportExpression(node) {
      const source = node.source;
      if (source.type === "Literal" && typeof source.value === "string") {
        checkImport(checked, node.range[0], source.value, ["*"]);
      } else if (inSource) {
        report(node.range[0], "import() of a computed path; write the path out");
      }
    },
    TSImportType(node) {
      const argument = node.argument;
      const literal = argument.type === "TSLiteralType" ? argument.literal : argument;
      if (literal.type === "Literal") {
        checkImport(checked, node.range[0], String(literal.value), ["*"]);
      }
    },
    ExportDefaultDeclaration(node) {
      report(node.range[0], "default export; export it by its name");
    },
    "PropertyDefinition, MethodDefinition, TSParameterProperty"(node: Deno.lint.Node) {
      // The tree does not tell it of a constructor's parameter.
      if (/^private\s/.test(checked.text.slice(...node.range))) {
        report(node.range[0], "`private`; write `#name`");
      }
    },
    "FunctionDeclaration, FunctionExpression, ArrowFunctionExpression"(node: Deno.lint.Node) {
      checkFunctionLength(checked, node);
    },
    Identifier(node) {
      if (inSource) checkGlobal(checked, node);
    },
    MemberExpression(node) {
      if (inSource) checkMember(checked, node);
    },
    CallExpression(node) {
      if (inSource) checkCall(checked, node);
    },
    NewExpression(node) {
      if (inSource && node.callee.type === "Identifier" && node.arguments.length === 0) {
        applyBans(checked, node.range[0], `new ${node.callee.name}()`);
      }
    },
    TSAsExpression(node) {
      const value = node.expression;
      if (
        inSource && value.type === "CallExpression" && memberName(value.callee) === "JSON.parse"
      ) {
        report(node.range[0], "JSON.parse cast with `as`; check it with a zod schema");
      }
    },
    ThrowStatement(node) {
      const thrown = node.argument;
      // The platform throws for itself, where it turns the system's errors into ours.
      if (
        inSource && !checked.path.startsWith("src/platform/") && thrown.type === "NewExpression" &&
        thrown.callee.type === "Identifier" &&
        thrown.callee.name === "Error"
      ) report(node.range[0], "throws a bare Error; throw a ClaudeSyncError with a code");
    },
  };
}

function nameOf(node: { type: string; name?: unknown; value?: unknown }): string {
  return String(node.type === "Identifier" ? node.name : node.value);
}

/**
 * `a.b` for a plain member of a plain name, else an empty string. `globalThis.` is looked through.
 */
function memberName(node: Deno.lint.Node): string {
  if (node.type !== "MemberExpression" || node.computed) return "";
  const property = nameOf(node.property);
  if (node.object.type === "Identifier") return `${node.object.name}.${property}`;
  const inner = memberName(node.object);
  return inner.startsWith("globalThis.") ? `${inner.slice("globalThis.".length)}.${property}` : "";
}

function applyBans({ path, rules, report }: Checked, offset: number, used: string): void {
  for (const ban of rules.bans) {
    const isMet = ban.name === used || (ban.name.endsWith(".") && used.startsWith(ban.name));
    if (isMet && !isWithin(path, ban.allowedIn)) report(offset, `\`${used}\`; ${ban.instead}`);
  }
}

/** A name that is read as a variable, not a property, key, parameter or import. */
function checkGlobal(checked: Checked, node: Deno.lint.Identifier): void {
  const parent = node.parent;
  if (parent.type === "MemberExpression" && parent.property === node && !parent.computed) return;
  if (parent.type === "Property" && parent.key === node && !parent.computed) return;
  if (parent.type.startsWith("TSProperty") || parent.type.startsWith("TSMethod")) return;
  if (parent.type.startsWith("PropertyDef") || parent.type.startsWith("MethodDef")) return;
  applyBans(checked, node.range[0], node.name);
}

function checkMember(checked: Checked, node: Deno.lint.MemberExpression): void {
  const used = memberName(node);
  if (used === "") return;
  const plain = used.replace(/^globalThis\./, "");
  applyBans(checked, node.range[0], plain);
  const isCalled = node.parent.type === "CallExpression" && node.parent.callee === node;
  if (plain !== used && isCalled) applyBans(checked, node.range[0], `${plain}()`);
}

const TEXT_MATCHERS = ["includes", "startsWith", "endsWith", "match", "indexOf", "search"];

function isMessage(node: Deno.lint.Node): boolean {
  return node.type === "MemberExpression" && !node.computed && nameOf(node.property) === "message";
}

function isWrittenText(node: Deno.lint.Node): boolean {
  return node.type === "Literal" || node.type === "TemplateLiteral";
}

function checkCall(checked: Checked, node: Deno.lint.CallExpression): void {
  const callee = node.callee;
  if (callee.type === "Identifier") applyBans(checked, node.range[0], `${callee.name}()`);
  if (callee.type !== "MemberExpression" || callee.computed) return;
  const method = nameOf(callee.property);
  const isTested = isMessage(callee.object) && TEXT_MATCHERS.includes(method) &&
    node.arguments.some(isWrittenText);
  const isMatched = isWrittenText(callee.object) && ["test", "exec"].includes(method) &&
    node.arguments.some(isMessage);
  if (isTested || isMatched) {
    checked.report(node.range[0], "matches on the text of a message; use the error's code");
  }
}

/** The layer of a file, its `at` without a star. */
function layerOf(rules: HouseRules, path: string): Layer | undefined {
  for (const layer of rules.layers) {
    const [parent, rest] = layer.at.split("*/");
    if (rest === undefined || parent === undefined) {
      if (isWithin(path, [layer.at])) return layer;
      continue;
    }
    const folder = path.startsWith(parent) ? path.slice(parent.length).split("/") : [];
    if (folder.length > 1) return { ...layer, at: `${parent}${folder[0]}/` };
  }
  return undefined;
}

function checkImport(
  checked: Checked,
  offset: number,
  specifier: string,
  names: readonly string[],
): void {
  const { path, report } = checked;
  if (specifier.startsWith(".")) {
    if (!/\.(ts|json)$/.test(specifier)) {
      report(offset, `import "${specifier}"; end it in .ts`);
    } else if (isSource(path)) checkFileImport(checked, offset, specifier);
  } else if (isSource(path)) checkModuleImport(checked, offset, specifier, names);
}

function checkFileImport(checked: Checked, offset: number, specifier: string): void {
  const { path, rules, report } = checked;
  const imported = posix.join(posix.dirname(path), specifier);
  const layer = layerOf(rules, path);
  if (layer === undefined) {
    return report(0, "file of no layer; move it, or add a layer to the table of tidy_test.ts");
  }
  const isSameLayer = layerOf(rules, imported)?.at === layer.at;
  if (isSameLayer || isWithin(imported, [...layer.mayImport, ...rules.everyone.mayImport])) return;
  const allowed = layer.mayImport.length === 0 ? "nothing above base/" : layer.mayImport.join(", ");
  report(
    offset,
    `imports ${imported}, but ${layer.at} may import ${allowed}; ` +
      "pass it in as an argument, or move the code",
  );
}

function checkModuleImport(
  { path, rules, report }: Checked,
  offset: number,
  specifier: string,
  names: readonly string[],
): void {
  const allowed = [...(layerOf(rules, path)?.modules ?? []), ...rules.everyone.modules];
  const isAllowed = allowed.some((entry) => {
    const [name, member] = entry.split("#");
    if (name !== undefined && /[:/]$/.test(name)) return specifier.startsWith(name);
    return name === specifier && (member === undefined || names.every((n) => n === member));
  }) || names.every((name) => allowed.includes(`${specifier}#${name}`));
  if (isAllowed) return;
  const instead = specifier === "zod"
    ? 'write `import * as z from "zod/mini"`'
    : specifier.startsWith("node:")
    ? "use the interfaces of platform/types.ts, passed in as arguments"
    : "only the modules in the table of tidy_test.ts are used here";
  report(offset, `imports {${names.join(", ")}} from "${specifier}"; ${instead}`);
}

function checkFunctionLength({ path, text, rules, report }: Checked, node: Deno.lint.Node): void {
  // A test reads top to bottom; only the program's own functions must fit one screen.
  if (path.startsWith("tests/")) return;
  const lines = text.slice(...node.range).split("\n").length;
  if (lines > rules.functionLinesMax) {
    report(
      node.range[0],
      `function of ${lines} lines, allowed are ${rules.functionLinesMax}; split it`,
    );
  }
}

type Comment = Deno.lint.LineComment | Deno.lint.BlockComment;

function checkComments({ report }: Checked, comments: readonly Comment[]): void {
  for (const comment of comments) {
    const word = /\b(TODO|FIXME|XXX|HACK)\b/.exec(comment.value)?.[1];
    if (word !== undefined) report(comment.range[0], `${word}; do it, or open an issue`);
  }
}

/** Declarations may stand alone at the top of a file; what acts when imported may not. */
function checkTopLevel({ report }: Checked, body: readonly Deno.lint.Node[]): void {
  const acting = /^(Expression|If|For|ForIn|ForOf|While|DoWhile|Try|Throw|Switch|Block)Statement$/;
  for (const statement of body) {
    if (acting.test(statement.type)) {
      report(statement.range[0], "runs when it is imported; put it into a function");
    }
  }
}

/** Every exported symbol has a doc comment right above it; overloads share their first one's. */
function checkDocComments(
  { text, report }: Checked,
  body: readonly Deno.lint.Node[],
  comments: readonly Comment[],
): void {
  const documented = new Set<string>();
  for (const statement of body) {
    if (statement.type !== "ExportNamedDeclaration" || !statement.declaration) continue;
    const name = declaredName(statement.declaration);
    const hasDoc = comments.some((comment) =>
      comment.type === "Block" && comment.value.startsWith("*") &&
      comment.range[1] <= statement.range[0] &&
      /^\s*$/.test(withoutLintDirectives(text.slice(comment.range[1], statement.range[0])))
    );
    if (hasDoc) documented.add(name);
    else if (!documented.has(name)) {
      report(statement.range[0], `exported "${name}" has no doc comment; state its contract`);
    }
  }
}

function withoutLintDirectives(text: string): string {
  return text.replace(/\/\/ deno-lint-ignore[^\n]*/g, "");
}

function declaredName(declaration: Deno.lint.Node): string {
  if (declaration.type === "VariableDeclaration") {
    return declaration.declarations.map(({ id }) => nameOf(id)).join(", ");
  }
  return "id" in declaration && declaration.id ? nameOf(declaration.id) : "?";
}
