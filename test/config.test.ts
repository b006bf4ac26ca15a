import { equal, throws } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultConfig, describeSettings, parseConfig, readConfig } from '../src/config.ts';

const documentation = new URL('../docs/config.md', import.meta.url);

test('config: the documentation lists every setting as it is declared', () => {
  const described = describeSettings();

  if (process.env['GOLDEN'] === 'write') writeFileSync(documentation, described);

  equal(readFileSync(documentation, 'utf8'), described);
});

test('config: what a file does not say keeps its default', () => {
  const config = parseConfig('api_port = 0', 'here.toml');

  equal(config.api_port, 0);
  equal(config.postgres_major, defaultConfig.postgres_major);
});

test('config: an unknown name is refused', () => {
  throws(() => parseConfig('api_prt = 1', 'here.toml'), { code: 'config_invalid' });
});

test('config: a number out of bounds is refused', () => {
  throws(() => parseConfig('postgres_major = 14', 'here.toml'), { code: 'config_invalid' });
});

test('config: a size that must be a power of two is one', () => {
  equal(parseConfig('wal_segment_bytes = 1048576', 'here.toml').wal_segment_bytes, 2 ** 20);
  throws(() => parseConfig('wal_segment_bytes = 1048577', 'here.toml'), { code: 'config_invalid' });
  throws(() => parseConfig('wal_segment_bytes = 3145728', 'here.toml'), { code: 'config_invalid' });
});

test('config: text that is not an address of this machine is refused', () => {
  throws(() => parseConfig('api_address = "0.0.0.0"', 'here.toml'), { code: 'config_invalid' });
});

test('config: a value of another type is refused', () => {
  throws(() => parseConfig('api_port = "7432"', 'here.toml'), { code: 'config_invalid' });
});

test('config: what is no TOML is refused, naming the file', () => {
  throws(() => parseConfig('api_port', 'here.toml'), {
    code: 'config_invalid',
    message: /here\.toml/,
  });
});

test('config: a file that cannot be read is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stemma-config-'));
  const path = join(folder, 'missing.toml');
  try {
    throws(() => readConfig(path), { code: 'config_unreadable', message: /missing\.toml/ });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
