import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { act, fireEvent, within } from '@testing-library/react';

import { NAMES, example } from '../../__tests__/examples';
import { MIME_TYPE } from '../../record/record';
import { StepRenderer } from '../renderer';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

let renderer: StepRenderer;

beforeEach(() => {
  renderer = new StepRenderer({
    mimeType: MIME_TYPE
  } as IRenderMime.IRendererOptions);
  act(() => Widget.attach(renderer, document.body));
});

afterEach(() => {
  act(() => renderer.dispose());
});

async function show(record: unknown, text = ''): Promise<HTMLElement> {
  const data = { [MIME_TYPE]: record, 'text/plain': text };
  await act(() =>
    renderer.renderModel({
      data
    } as unknown as IRenderMime.IMimeModel)
  );
  return renderer.node;
}

const rows = (node: HTMLElement) =>
  [...node.querySelectorAll('.jp-RunbookStep-resource')].map(
    cell => cell.textContent
  );

describe('StepRenderer', () => {
  it.each(NAMES)('shows what %s is', async name => {
    const record = example(name);
    const node = await show(record);
    const text = node.textContent!;
    for (const said of [
      record.status,
      record.name,
      record.summary,
      `%%${record.provider}`,
      'ada on ops1',
      record.digest,
      record.error?.kind ?? '',
      record.error?.hint ?? ''
    ]) {
      expect(text).toContain(said);
    }
  });

  it('makes no element of what a record says', async () => {
    const evil = '<img src=x onerror=alert(1)><script>alert(1)</script>';
    const strings = (value: unknown): unknown =>
      typeof value === 'string'
        ? evil
        : Array.isArray(value)
          ? value.map(strings)
          : value && typeof value === 'object'
            ? Object.fromEntries(
                Object.entries(value).map(([key, one]) => [key, strings(one)])
              )
            : value;
    for (const record of NAMES.map(example)) {
      const { schema, mode, status, changes, approval, ...rest } = record;
      const node = await show({
        ...(strings(rest) as object),
        schema,
        mode,
        status,
        approval: approval && {
          ...(strings(approval) as object),
          answer: approval.answer
        },
        changes: changes.map(row => ({
          ...(strings(row) as object),
          action: row.action,
          status: row.status,
          kind: row.kind
        }))
      });
      expect(node.querySelector('img, script')).toBeNull();
      expect(node.textContent).toContain(evil);
    }
  });

  it('unfolds a diff below its row, and keeps it so when the record comes anew', async () => {
    const record = example('replaced');
    const node = await show(record);
    expect(node.querySelector('.jp-RunbookStep-diff')).toBeNull();
    const row = within(node).getByText('container show-web-1');
    fireEvent.click(row);
    expect(row.getAttribute('aria-expanded')).toBe('true');
    const diff = node.querySelector('.jp-RunbookStep-diff')!;
    expect(diff.textContent).toContain('-environment.GREETING: hello\n');
    expect(diff.querySelectorAll('[data-kind=added]').length).toBeGreaterThan(
      0
    );
    await show({ ...record });
    expect(node.querySelector('.jp-RunbookStep-diff')).not.toBeNull();
    fireEvent.click(row);
    expect(node.querySelector('.jp-RunbookStep-diff')).toBeNull();
  });

  it('shows the diffs of a dry run, and how to apply just that plan', async () => {
    const record = example('planned');
    const node = await show(record);
    const diffs = record.changes.filter(row => row.diff);
    expect(node.querySelectorAll('.jp-RunbookStep-diff').length).toBe(
      diffs.length
    );
    expect(node.querySelector('code')!.textContent).toBe(
      `--plan ${record.plan_digest!.slice(0, 12)}`
    );
    expect(node.textContent).toContain('dry run');
  });

  it.each(['0'.repeat(63), `${'0'.repeat(63)}\n`, '; touch made; '.repeat(6)])(
    'offers no plan of what is no digest: %j',
    async digest => {
      const record = { ...example('planned'), plan_digest: digest };
      const node = await show(record);
      expect(node.textContent).toContain(record.summary);
      expect(node.querySelector('.jp-RunbookStep-plan')).toBeNull();
    }
  );

  it('hides and shows rows by what became of them', async () => {
    const node = await show(example('containers-created'));
    const all = rows(node);
    const ok = node.querySelector('button[data-status=ok]')!;
    expect(ok.textContent).toBe('✓ 3 ok');
    fireEvent.click(ok);
    expect(rows(node)).toEqual(
      all.filter(name => !/^(image|health)/.test(name!))
    );
    fireEvent.click(ok);
    expect(rows(node)).toEqual(all);
  });

  it('of many rows shows those that need attention first', async () => {
    const record = example('containers-created');
    const [image, network] = record.changes;
    const changes = Array.from({ length: 200 }, (_, index) => ({
      ...image,
      resource: `image ${index}`
    }));
    const node = await show({ ...record, changes: [...changes, network] });
    expect(rows(node)).toEqual([network.resource]);
    fireEvent.click(within(node).getByTitle('Show these rows'));
    expect(rows(node).length).toBe(201);
  });

  it('shows tasks by hosts, and many hosts by number', async () => {
    let node = await show(example('hosts'));
    let table = node.querySelector('.jp-RunbookStep-hosts')!;
    expect(
      [...table.querySelectorAll('thead th')].map(one => one.textContent)
    ).toEqual(['Task', 'host1', 'host2', 'host3']);
    expect(table.querySelectorAll('tbody tr')[2].textContent).toBe(
      'fail on host2⊘ skipped✗ failed⊘ skipped'
    );
    node = await show(example('many-hosts'));
    table = node.querySelector('.jp-RunbookStep-hosts')!;
    expect(table.querySelector('thead')!.textContent).toBe('TaskOn 14 hosts');
    expect(table.querySelectorAll('tbody tr')[1].textContent).toBe(
      'look for room✗ 2 failed (web3, web11)✓ 12 ok'
    );
  });

  it('tells where the rest of a long output is', async () => {
    const record = example('long-output');
    const node = await show(record);
    expect(node.textContent).toContain(`more lines in ${record.log!.path}`);
    const output = node.querySelector('details')!;
    expect(output.open).toBe(false);
    expect(output.querySelectorAll('pre').length).toBe(2);
  });

  it('keeps the output of a failure open', async () => {
    const node = await show(example('failed-script'));
    expect(node.querySelector('details')!.open).toBe(true);
  });

  it.each([[null], [{ schema: 'step.v2' }], [42]])(
    'says that it can not show %p, and shows the text beside it',
    async data => {
      const node = await show(data, 'changed: <b>key</b>');
      expect(node.querySelector('p')!.textContent).toContain('"schema"');
      expect(node.querySelector('pre')!.textContent).toBe(
        'changed: <b>key</b>'
      );
    }
  );
});
