import tseslint from 'typescript-eslint';

const impure = [
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: 'time comes in through a port',
  },
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'randomness comes in through a port',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'time comes in through a port',
  },
];
const noDefaultExport = [
  { selector: 'ExportDefaultDeclaration', message: 'exports are named' },
  { selector: 'ExportAllDeclaration', message: 'no re-exports' },
];
const impureGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'fetch',
  'crypto',
  'performance',
  'process',
];

export default tseslint.config(
  { ignores: ['node_modules', '.stemma', 'bin', '*.config.js', '*.cjs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/strict-boolean-expressions': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-floating-promises': 'error',
      'func-style': ['error', 'declaration'],
      'max-lines': ['error', 600],
      'max-lines-per-function': ['error', 60],
      'max-params': ['error', 4],
      'no-restricted-syntax': ['error', ...noDefaultExport],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/io/**', 'src/runtime/**', 'src/main.ts', 'src/host.ts', 'src/dev-cluster.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-syntax': ['error', ...noDefaultExport, ...impure],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', '@typescript-eslint/no-floating-promises': 'off' },
  },
);
