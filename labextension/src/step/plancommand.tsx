import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useState } from 'react';

/** What is copied is typed into a cell: nothing but a digest may be. */
const DIGEST = /^[0-9a-f]{64}$/;
/** So many characters of a digest name a plan; `--plan` takes 8 or more. */
const PREFIX = 12;

export interface IPlanCommandProps {
  digest: string;
  trans: TranslationBundle;
}

/**
 * How to apply the very plan that a dry run showed: the option that the cell takes for it.
 */
export function PlanCommand({
  digest,
  trans
}: IPlanCommandProps): JSX.Element | null {
  const option = `--plan ${digest.slice(0, PREFIX)}`;
  const [copied, setCopied] = useState('');
  if (!DIGEST.test(digest)) {
    return null;
  }
  return (
    <p className="jp-RunbookStep-plan">
      {trans.__('To apply this plan and no other:')} <code>{option}</code>{' '}
      <button
        type="button"
        onClick={() => {
          Clipboard.copyToSystem(option);
          setCopied(option);
        }}
      >
        {copied === option ? trans.__('copied') : trans.__('copy')}
      </button>
    </p>
  );
}
