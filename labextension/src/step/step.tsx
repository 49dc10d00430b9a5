import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { matrix } from '../record/matrix';
import type { IError, IStepRecord } from '../record/record';
import { about, duration, readable, shortTime } from '../record/words';
import { Changes } from './changes';
import { Facts } from './facts';
import { Hosts } from './hosts';
import { Mark } from './mark';
import { Output } from './output';
import { PlanCommand } from './plancommand';

export interface IStepProps {
  record: IStepRecord;
  trans: TranslationBundle;
}

/**
 * All of one step, in the order that people ask: what became of it, why, what of each thing, what it printed, who and when.
 */
export function Step({ record, trans }: IStepProps): JSX.Element {
  const tasks = matrix(record.changes);
  return (
    <section
      className="jp-RunbookStep-body"
      data-status={record.status}
      aria-label={trans.__('Step %1: %2', readable(record.name), record.status)}
    >
      <Head record={record} trans={trans} />
      {record.error && <Failure error={record.error} />}
      <p className="jp-RunbookStep-summary">{readable(record.summary)}</p>
      {record.status === 'planned' && record.plan_digest && (
        <PlanCommand digest={record.plan_digest} trans={trans} />
      )}
      {tasks.tasks.length > 0 && <Hosts matrix={tasks} trans={trans} />}
      <Changes record={record} trans={trans} />
      {record.log && (
        <Output
          log={record.log}
          failed={record.status === 'failed'}
          trans={trans}
        />
      )}
      <Facts record={record} trans={trans} />
    </section>
  );
}

function Head({ record, trans }: IStepProps): JSX.Element {
  return (
    <header className="jp-RunbookStep-head">
      <span className="jp-RunbookStep-status" data-status={record.status}>
        <Mark status={record.status} />
      </span>
      <span className="jp-RunbookStep-name">{readable(record.name)}</span>
      {record.mode === 'check' && (
        <span className="jp-RunbookStep-tag">{trans.__('dry run')}</span>
      )}
      <span className="jp-RunbookStep-where">{where(record, trans)}</span>
    </header>
  );
}

function where(record: IStepRecord, trans: TranslationBundle): string {
  const { actor, provider, target } = record;
  const parts = [
    `%%${provider}`,
    target,
    duration(record.seconds),
    shortTime(record.started),
    trans.__('%1 on %2', actor.user, actor.host)
  ];
  return readable(parts.filter(Boolean).join(' · '));
}

function Failure({ error }: { error: IError }): JSX.Element {
  return (
    <div className="jp-RunbookStep-error">
      <div>
        <b>{error.kind}</b>: {about(error)}
      </div>
      {error.hint && (
        <div className="jp-RunbookStep-hint">→ {readable(error.hint)}</div>
      )}
    </div>
  );
}
