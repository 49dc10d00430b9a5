/**
 * The step record, as `schema/step.v1.json` of the Python package has it. What is absent is null.
 */

export const MIME_TYPE = 'application/vnd.jupyter-runbook.step.v1+json';

export type Status =
  | 'ok'
  | 'changed'
  | 'planned'
  | 'failed'
  | 'skipped'
  | 'interrupted'
  | 'not-run';

export type ChangeStatus = Status | 'unknown';

export type Action =
  'create' | 'update' | 'replace' | 'delete' | 'run' | 'no-op';

export interface IChange {
  resource: string;
  kind: string;
  action: Action;
  status: ChangeStatus;
  reason: string | null;
  before: unknown;
  after: unknown;
  diff: string | null;
  seconds: number | null;
}

export interface IError {
  kind: string;
  message: string;
  resource: string | null;
  hint: string | null;
}

export interface IAttempt {
  started: string;
  ended: string;
  error: IError | null;
}

export interface IApproval {
  by: string;
  at: string;
  shown: string;
  answer: 'yes' | 'no' | 'nobody';
  reason: string | null;
}

export interface ILog {
  path: string | null;
  sha256: string;
  bytes: number;
  lines: number;
  head: string;
  tail: string | null;
}

export interface IStepRecord {
  schema: 'step.v1';
  id: string;
  run: string;
  cell_id: string | null;
  name: string;
  provider: string;
  target: string | null;
  mode: 'apply' | 'check';
  status: Status;
  changes: IChange[];
  summary: string;
  spec_digest: string | null;
  plan_digest: string | null;
  source_digest: string | null;
  started: string;
  ended: string;
  seconds: number;
  actor: { user: string; host: string; session: string | null };
  tool: { versions: Record<string, string> };
  approval: IApproval | null;
  attempts: IAttempt[];
  error: IError | null;
  log: ILog | null;
  prev: string | null;
  digest: string;
}

type Check = (value: unknown) => boolean;

const text: Check = value => typeof value === 'string';
const number: Check = value =>
  typeof value === 'number' && Number.isFinite(value);
const anything: Check = () => true;
const orNull =
  (check: Check): Check =>
  value =>
    value === null || check(value);
const oneOf =
  (...words: string[]): Check =>
  value =>
    typeof value === 'string' && words.includes(value);
const listOf =
  (check: Check): Check =>
  value =>
    Array.isArray(value) && value.every(check);
const shape =
  (fields: Record<string, Check>): Check =>
  value =>
    isObject(value) &&
    Object.entries(fields).every(
      ([name, check]) => Object.hasOwn(value, name) && check(value[name])
    );

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const STATUSES = [
  'ok',
  'changed',
  'planned',
  'failed',
  'skipped',
  'interrupted',
  'not-run'
];
const error = shape({
  kind: text,
  message: text,
  resource: orNull(text),
  hint: orNull(text)
});

/**
 * What each field has to be for us to show it. Digests and times are shown as the texts that they are: whether they are
 * right is for `jupyter runbook verify` to say.
 */
export const FIELDS: Readonly<Record<keyof IStepRecord, Check>> = {
  schema: oneOf('step.v1'),
  id: text,
  run: text,
  cell_id: orNull(text),
  name: text,
  provider: text,
  target: orNull(text),
  mode: oneOf('apply', 'check'),
  status: oneOf(...STATUSES),
  changes: listOf(
    shape({
      resource: text,
      kind: text,
      action: oneOf('create', 'update', 'replace', 'delete', 'run', 'no-op'),
      status: oneOf(...STATUSES, 'unknown'),
      reason: orNull(text),
      before: anything,
      after: anything,
      diff: orNull(text),
      seconds: orNull(number)
    })
  ),
  summary: text,
  spec_digest: orNull(text),
  plan_digest: orNull(text),
  source_digest: orNull(text),
  started: text,
  ended: text,
  seconds: number,
  actor: shape({ user: text, host: text, session: orNull(text) }),
  tool: shape({
    versions: value => isObject(value) && Object.values(value).every(text)
  }),
  approval: orNull(
    shape({
      by: text,
      at: text,
      shown: text,
      answer: oneOf('yes', 'no', 'nobody'),
      reason: orNull(text)
    })
  ),
  attempts: listOf(shape({ started: text, ended: text, error: orNull(error) })),
  error: orNull(error),
  log: orNull(
    shape({
      path: orNull(text),
      sha256: text,
      bytes: number,
      lines: number,
      head: text,
      tail: orNull(text)
    })
  ),
  prev: orNull(text),
  digest: text
};

/**
 * Read untrusted JSON as a record.
 *
 * @param data - what stands in the notebook
 * @returns the record; or the name of the first field that is not as the schema has it
 */
export function readRecord(data: unknown): IStepRecord | string {
  if (!isObject(data)) {
    return 'schema';
  }
  const wrong = Object.entries(FIELDS).find(
    ([name, check]) => !Object.hasOwn(data, name) || !check(data[name])
  );
  return wrong ? wrong[0] : (data as unknown as IStepRecord);
}
