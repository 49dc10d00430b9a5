import { readFileSync, readdirSync } from 'fs';
import { join } from 'path';

import type { IStepRecord } from '../record/record';

const ROOT = join(__dirname, '..', '..', '..');

/**
 * Read a JSON file of the project.
 */
export function load(...path: string[]): unknown {
  return JSON.parse(readFileSync(join(ROOT, ...path), 'utf-8'));
}

/** The records that this and the Python package's tests share, by name. */
export const NAMES: readonly string[] = readdirSync(
  join(ROOT, 'tests', 'records')
).map(name => name.replace('.json', ''));

/**
 * Return one of them, fresh.
 */
export function example(name: string): IStepRecord {
  return load('tests', 'records', `${name}.json`) as IStepRecord;
}
