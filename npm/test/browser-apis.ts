/** Which of the platform's interfaces the package's own code uses in browsers, found by types. */

import { fileURLToPath } from 'node:url';
import { type Identifier, type Node, SyntaxKind } from 'typescript/unstable/ast';
import { API, type Project, type Symbol as TypeSymbol } from 'typescript/unstable/sync';

/** A member of the platform: `AbortSignal.any_static`, `Array.at`, `fetch`; and one of the files that use it. */
export type Uses = ReadonlyMap<string, string>;

/** Syntax that came late, by where the support table lists it. */
const SYNTAX: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.ClassStaticBlockDeclaration, 'javascript.classes.static.initialization_blocks'],
  [SyntaxKind.PrivateIdentifier, 'javascript.classes.private_class_methods'],
  [SyntaxKind.PropertyDeclaration, 'javascript.classes.public_class_fields'],
  [SyntaxKind.QuestionDotToken, 'javascript.operators.optional_chaining'],
  [SyntaxKind.QuestionQuestionEqualsToken, 'javascript.operators.nullish_coalescing_assignment'],
]);

/** Types that the table has no rows of, since what gives a value of them has one: `WebAssembly.instantiateStreaming`. */
const WITHIN = new Set(['Instance', 'Memory', 'WebAssemblyInstantiatedSource']);

/** What the code that browsers run refers to: the TypeScript, and the JavaScript around the WebAssembly modules. */
export function platformUses(): Uses {
  const config = fileURLToPath(new URL('browsers.tsconfig.json', import.meta.url));
  const api = new API({ cwd: fileURLToPath(new URL('..', import.meta.url)) });
  try {
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config);
    if (project === undefined) throw new Error(`${config} is no project`);
    const uses = new Map<string, string>();
    for (const file of ownFiles(project)) collect(project, file, uses);
    return uses;
  } finally {
    api.close();
  }
}

function ownFiles(project: Project): string[] {
  return project.program
    .getSourceFileNames()
    .filter((name) => !name.includes('node_modules') && !name.endsWith('.d.ts'));
}

function collect(project: Project, file: string, uses: Map<string, string>): void {
  const source = project.program.getSourceFile(file);
  if (source === undefined) throw new Error(`${file} cannot be read`);
  const identifiers: Identifier[] = [];
  const walk = (node: Node): undefined => {
    // Types are gone when the code runs.
    if (node.kind === SyntaxKind.InterfaceDeclaration || node.kind === SyntaxKind.TypeAliasDeclaration) return;
    if (node.kind === SyntaxKind.HeritageClause) return;
    if (node.kind >= SyntaxKind.FirstTypeNode && node.kind <= SyntaxKind.LastTypeNode) return;
    const syntax = SYNTAX.get(node.kind);
    if (syntax !== undefined) uses.set(syntax, fileName(file));
    if (node.kind === SyntaxKind.Identifier) identifiers.push(node as Identifier);
    node.forEachChild(walk);
  };
  walk(source);
  for (const symbol of project.checker.getSymbolAtLocation(identifiers)) {
    const key = symbol && keyOf(symbol, project);
    if (key !== undefined && !uses.has(key)) uses.set(key, fileName(file));
  }
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The name under which support tables list a symbol of the platform's own types. */
function keyOf(symbol: TypeSymbol, project: Project): string | undefined {
  const declared = symbol.declarations.find(({ path }) => /\/lib\.[a-z0-9.]+\.d\.ts$/.test(path));
  const declaration = declared?.resolve(project);
  if (declaration === undefined || symbol.name === 'prototype') return undefined;
  for (let node = declaration.parent; node !== undefined; node = node.parent) {
    const parent = (node as { name?: Identifier }).name?.text ?? '';
    if (node.kind === SyntaxKind.ModuleDeclaration) return `${parent}.${symbol.name}_static`;
    if (node.kind === SyntaxKind.InterfaceDeclaration) {
      if (WITHIN.has(parent)) return undefined;
      const type = parent.replace(/(?<=.)Constructor$/, '');
      return type === parent ? `${parent}.${symbol.name}` : `${type}.${symbol.name}_static`;
    }
    // `declare var AbortSignal: { any(…): … }`, unless it is the variable itself.
    if (node.kind === SyntaxKind.VariableDeclaration) return `${parent}.${symbol.name}_static`;
  }
  return symbol.name;
}
