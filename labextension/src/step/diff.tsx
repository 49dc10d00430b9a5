import React from 'react';

import { readable } from '../record/words';

const KINDS: Readonly<Record<string, string>> = {
  '+': 'added',
  '-': 'removed',
  '@': 'place'
};

/**
 * A unified diff. Its lines keep their signs: who sees no colour reads it all the same, and what is copied is a diff.
 */
export function Diff({ text }: { text: string }): JSX.Element {
  const lines = readable(text).replace(/\n$/, '').split('\n');
  return (
    <pre className="jp-RunbookStep-diff">
      {lines.map((line, index) => (
        <span key={index} data-kind={KINDS[line[0]]}>
          {line}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}
