import Ajv2020 from 'ajv/dist/2020';

import { NAMES, example, load } from '../../__tests__/examples';
import { FIELDS, readRecord } from '../record';

interface ISchema {
  required: string[];
  properties: { status: { enum: string[] } };
}

const schema = load('jupyter_runbook', 'schema', 'step.v1.json') as ISchema;

describe('the wire form', () => {
  const fits = new Ajv2020({ strict: false }).compile(schema);

  it('has examples of every status', () => {
    const found = new Set(NAMES.map(name => example(name).status));
    const known = new Set<string>(schema.properties.status.enum);
    known.delete('not-run'); // a step that has not run has no record
    expect(found).toEqual(known);
  });

  it.each(NAMES)('of %s fits the schema and is read', name => {
    const record = example(name);
    expect(fits(record)).toBe(true);
    expect(readRecord(record)).toBe(record);
  });

  it('has the fields of the schema, and no other', () => {
    expect(Object.keys(FIELDS).sort()).toEqual([...schema.required].sort());
  });

  it.each(Object.keys(FIELDS))('is not read without its field %s', name => {
    for (const record of NAMES.map(example)) {
      const broken: Record<string, unknown> = { ...record };
      delete broken[name];
      expect(readRecord(broken)).toBe(name);
      expect(readRecord({ ...record, [name]: [42] })).toBe(name);
    }
  });

  it.each([[null], [undefined], [''], [42], [[]], [{}]])(
    'is not %p',
    nothing => {
      expect(readRecord(nothing)).toBe('schema');
    }
  );

  it('is read as far down as it is shown', () => {
    const record = example('created');
    const [row] = record.changes;
    for (const broken of [{ action: 'jump' }, { status: 1 }, { diff: {} }]) {
      const changes = [{ ...row, ...broken }];
      expect(readRecord({ ...record, changes })).toBe('changes');
    }
    const tool = { versions: { bash: {} } };
    expect(readRecord({ ...record, tool })).toBe('tool');
  });
});
