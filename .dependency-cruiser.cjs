/** Import direction: the only copy of the rule. See ARCHITECTURE.md. */
const allow = (name, from, to, packages = []) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '.', pathNot: [...to, ...packages] },
});
const base = '^src/base/';
const nodePure = ['^(node:)?(buffer|util|zlib)$'];
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'src-never-tests',
      severity: 'error',
      from: { path: '^src' },
      to: { path: '^(test|bench)' },
    },
    allow('base-imports-nothing', base, [base], nodePure),
    allow('postgres-is-pure', '^src/postgres/', [base, '^src/postgres/'], ['^(node:)?zlib$']),
    allow('layers-are-pure', '^src/layers/', [base, '^src/layers/']),
    allow('consensus-is-pure', '^src/consensus/', [base, '^src/consensus/']),
    allow('io', '^src/io/', [base, '^src/io/', '^(node:)?[a-z0-9_/]+$', 'node_modules']),
    allow('runtime', '^src/runtime/', [
      base,
      '^src/io/',
      '^src/runtime/',
      '^(node:)?[a-z0-9_/]+$',
      'node_modules',
    ]),
    {
      name: 'actors-meet-in-protocols',
      severity: 'error',
      from: { path: '^src/actors/([^/]+)/', pathNot: '^src/actors/registry/' },
      to: {
        path: '^src/actors/',
        pathNot: ['^src/actors/$1/', '^src/actors/[^/]+/protocol\\.ts$'],
      },
    },
    { name: 'nobody-imports-main', severity: 'error', from: {}, to: { path: '^src/main\\.ts$' } },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
