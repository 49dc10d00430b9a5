import React from 'react';

import type { ChangeStatus } from '../record/record';
import { STATUSES } from '../record/words';

export interface IMarkProps {
  status: ChangeStatus;
  /** How many have it; left out, there is the status alone. */
  count?: number;
}

/**
 * A status: its sign, in its colour where an element around it names the status, and its word.
 */
export function Mark({ status, count }: IMarkProps): JSX.Element {
  return (
    <>
      <span className="jp-RunbookStep-sign" aria-hidden="true">
        {STATUSES[status]}
      </span>{' '}
      {count === undefined ? status : `${count} ${status}`}
    </>
  );
}
