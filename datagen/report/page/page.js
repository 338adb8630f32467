'use strict';
// Draws the report out of the JSON in the element "data". Texts of models are only ever set as text.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const page = document.getElementById('page');
  page.textContent = '';

  const number = (value) => value == null ? '–' : value.toLocaleString('en-US');
  const short = (value) => value == null ? '–' : Number(value.toPrecision(4)).toLocaleString('en-US');
  const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
  const percent = (part, whole) => whole > 0 ? (100 * part / whole).toFixed(1) + ' %' : '–';
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();

  function element(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      key in node ? node[key] = value : node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  const figure = (name, value) => element('div', {className: 'figure'}, element('b', {}, value), element('span', {}, name));
  const card = (title, ...children) => element('section', {className: 'card'}, element('h3', {}, title), ...children);

  // Columns: [title, isNumber]; rows: lists of texts or nodes.
  function table(columns, rows) {
    const head = element('tr', {}, ...columns.map(([title, n]) => element('th', {className: n ? 'n' : '', scope: 'col'}, title)));
    const body = rows.map((row) => element('tr', {}, ...row.map((cell, i) => element('td', {className: columns[i][1] ? 'n' : ''}, cell))));
    return element('div', {className: 'scroll'}, element('table', {}, element('thead', {}, head), element('tbody', {}, ...body)));
  }

  const charts = [];
  function chart(label, configuration) {
    const canvas = element('canvas', {role: 'img', 'aria-label': label});
    charts.push([canvas, configuration]);
    return element('div', {className: 'chart'}, canvas);
  }

  function drawCharts() {
    Chart.defaults.animation = false;
    Chart.defaults.maintainAspectRatio = false;
    for (const [canvas, configuration] of charts) {
      Chart.getChart(canvas)?.destroy();
      Chart.defaults.color = color('faint');
      Chart.defaults.borderColor = color('line');
      new Chart(canvas, configuration());
    }
  }

  const bars = (labels, sets, options = {}) => () => ({
    type: 'bar',
    data: {
      labels,
      datasets: sets.map(([label, name, values]) => ({label, data: values, backgroundColor: color(name), categoryPercentage: options.beside ? 0.6 : 1, barPercentage: 0.92})),
    },
    options: {
      indexAxis: options.lying ? 'y' : 'x',
      scales: {x: {stacked: !options.beside, title: {display: !!options.x, text: options.x}}, y: {stacked: !options.beside}},
      plugins: {legend: {display: sets.length > 1}},
    },
  });

  const histogram = (label, values, unit) => chart(label, bars(values.edges.map(short), [['pass', 'pass', values.passed], ['do not pass', 'fail', values.failed]], {x: unit}));

  // How many samples are left behind each stage.
  function funnel(decisions) {
    const all = Object.values(decisions).reduce((a, b) => a + b, 0);
    const node = element('div');
    let left = all;
    const stage = (name, count) => {
      const fill = element('div', {className: 'fill'});
      fill.style.width = (all > 0 ? 100 * left / all : 0) + '%';
      node.append(element('div', {className: 'stage'}, element('span', {className: 'name'}, name),
        element('div', {className: 'track'}, fill), element('span', {className: 'count'}, count)));
    };
    stage('samples', number(all));
    for (const [name, count] of Object.entries(decisions)) {
      if (name === 'kept') continue;
      left -= count;
      stage('− ' + name, number(count) + ' → ' + number(left));
    }
    return node;
  }

  function reasons(terms) {
    const rows = [];
    for (const [label, term] of Object.entries(terms)) {
      for (const [reason, count] of Object.entries(term.reasons || {}).sort((a, b) => b[1] - a[1])) {
        rows.push([label, reason, number(count)]);
      }
    }
    return table([['term'], ['reason'], ['samples', true]], rows);
  }

  function outcomes(terms, scores) {
    const mean = Object.fromEntries(scores.map((score) => [score.label, score.mean_score]));
    return table([['term'], ['pass', true], ['fail', true], ['abstain', true], ['fault', true], ['mean score', true]],
      Object.entries(terms).map(([label, term]) => [label, number(term.pass), number(term.fail), number(term.abstain), number(term.fault), short(mean[label])]));
  }

  // What each term brings to the reward, on average.
  function parts(scores) {
    const known = scores.filter((score) => score.mean_part_passed != null || score.mean_part_failed != null);
    if (known.length === 0) return [];
    return [card('Rewards by part',
      chart('mean part of the reward by term', bars(known.map((score) => score.label), [
        ['pass', 'pass', known.map((score) => score.mean_part_passed)], ['do not pass', 'fail', known.map((score) => score.mean_part_failed)]], {beside: true})),
      table([['term'], ['of those that pass', true], ['of those that do not', true]],
        known.map((score) => [score.label, short(score.mean_part_passed), short(score.mean_part_failed)])))];
  }

  function tallies(title, column, rows) {
    return card(title, table([[column], ['problems', true], ['samples', true], ['pass', true]],
      rows.map((row) => [row.name || '–', number(row.problems), number(row.samples), percent(row.passed, row.scored)])));
  }

  function passRates(counts) {
    const labels = ['never', ...Array.from({length: 10}, (_, i) => `${i * 10}–${i * 10 + 10} %`), 'always'];
    return chart('problems by pass rate', bars(labels, [['problems', 'bar', counts]]));
  }

  function runSection(run) {
    const d = run.details;
    page.append(element('h2', {}, 'Run ' + run.run),
      element('p', {className: 'note'}, `assay ${run.tool_version}, configuration ${run.config_hash}${run.finished ? '' : ', not finished'}`),
      element('div', {className: 'figures'},
        figure('problems', number(run.problems)), figure('samples', number(run.samples)),
        figure('pass every term', percent(run.passed, run.scored)), figure('right, by what decides', percent(d.right, run.scored)), figure('mean reward', run.scored > 0 ? short(run.reward.mean) : '–'),
        figure('repeated texts', number(d.repeated_texts)), figure('cut off', number(run.truncated)),
        figure('faults', number(run.faults)), figure('bad rows', number(run.bad_rows))));
    const grid = element('div', {className: 'grid'},
      card('Problems by pass rate', passRates(d.pass_rates)),
      card('Rewards', histogram('rewards', d.rewards, 'reward')),
      card('Lengths', histogram('lengths', d.lengths, 'bytes')),
      card('Verdicts by term', outcomes(run.terms, d.term_scores)), ...parts(d.term_scores));
    if (run.pass_at_k) {
      const ks = run.pass_at_k;
      grid.append(card('pass@k', chart('pass@k', () => ({
        type: 'line',
        data: {labels: ks.map((at) => at.k), datasets: [{label: 'pass@k', data: ks.map((at) => at.value), borderColor: color('bar'), backgroundColor: color('bar')}]},
        options: {scales: {y: {min: 0, max: 1}, x: {title: {display: true, text: 'k'}}}, plugins: {legend: {display: false}}},
      })), table([['k', true], ['pass@k', true], ['problems', true]], ks.map((at) => [number(at.k), at.value.toFixed(4), number(at.problems)]))));
    }
    grid.append(card('Reasons', reasons(run.terms)));
    if (d.tasks.length > 1) grid.append(tallies('Tasks', 'task', d.tasks));
    if (d.levels.some((level) => level.name)) grid.append(tallies('Difficulty', 'level', d.levels));
    grid.append(card('Hardest problems', element('details', {}, element('summary', {}, `the ${d.hardest.length} with the lowest pass rate`),
      table([['problem'], ['pass', true], ['samples', true]], d.hardest.map((one) => [one.name || '–', percent(one.passed, one.scored), number(one.scored)])))));
    page.append(grid);
  }

  function datasetSection(dataset) {
    const d = dataset.details;
    const dropped = (name) => dataset.decisions[name] || 0;
    page.append(element('h2', {}, 'Data set ' + dataset.dataset),
      element('p', {className: 'note'}, `${dataset.strategy} ${JSON.stringify(dataset.params)}, assay ${dataset.tool_version}`),
      element('div', {className: 'figures'},
        figure('rows', number(d.rows)), figure('problems', number(dataset.problems)),
        figure('identical texts dropped', number(dropped('duplicate_text') + dropped('duplicate_across'))),
        figure('near duplicates dropped', number(dropped('near_duplicate'))),
        figure('contaminated dropped', number(dropped('contaminated'))),
        figure('mean length, bytes', short(dataset.text_bytes.mean))));
    const wide = card('Funnel', funnel(dataset.decisions));
    wide.classList.add('wide');
    const grid = element('div', {className: 'grid'}, wide);
    if (d.splits.length > 0) {
      grid.append(card('Splits', table([['split'], ['rows', true]], d.splits.map((split) => [split.name || 'none', number(split.rows)]))));
    }
    if (d.contamination.length > 0) {
      grid.append(card(`Contamination (${counted(d.contamination_kinds, 'hit')})`,
        table([['what is shared'], ['samples', true]], d.contamination.map((hit) => [hit.hit, number(hit.samples)]))));
    }
    page.append(grid);
  }

  // The reasoning of a reply, folded, and what stands behind it.
  function reply(text) {
    const parts = /^\s*<think>([\s\S]*?)<\/think>([\s\S]*)$/.exec(text);
    if (!parts) return [element('pre', {}, text)];
    return [element('details', {}, element('summary', {}, `reasoning (${number(parts[1].length)} characters)`), element('pre', {}, parts[1].trim())),
      element('pre', {}, parts[2].trim())];
  }

  function sampleCard(sample) {
    const verdicts = table([['term'], ['outcome'], ['score', true], ['part', true], ['reason']],
      sample.verdicts.map((verdict) => [verdict.label,
        element('span', {className: verdict.outcome === 'pass' ? 'pass' : verdict.outcome === 'fail' ? 'fail' : ''}, verdict.outcome),
        short(verdict.score), short(verdict.part),
        element('span', {}, verdict.reason, ...(verdict.detail ? [element('span', {className: 'detail'}, verdict.detail)] : []))]));
    const outcome = sample.passed ? 'passes' : sample.right ? 'right, though a term fails' : 'does not pass';
    return element('section', {className: 'card'},
      element('p', {}, element('span', {className: sample.passed || sample.right ? 'pass' : 'fail'}, outcome),
        ` · reward ${short(sample.reward)} · problem ${sample.problem || '–'}${sample.task ? ' · ' + sample.task : ''}`),
      element('details', {open: true}, element('summary', {}, 'prompt'), element('pre', {}, sample.prompt)),
      ...(sample.answers.length ? [element('p', {className: 'note'}, 'answer: ' + sample.answers.join(' or '))] : []),
      ...reply(sample.text),
      ...(sample.verdicts.length ? [verdicts] : []),
      element('details', {}, element('summary', {}, 'where it came from'),
        table([['', false], ['', false]], [
          ['run', sample.run], ['file', `${sample.file}, line ${sample.line}, sample ${sample.place}`], ['model', sample.model || '–'],
          ['finish reason', sample.finish_reason || '–'], ['advantage', short(sample.advantage)], ['id in the store', String(sample.id)],
          ...sample.decisions.map((one) => ['data set ' + one.dataset, one.decision + (one.detail ? ': ' + one.detail : '')])])));
  }

  function samplesSection(samples) {
    if (samples.length === 0) return;
    page.append(element('h2', {id: 'samples'}, 'Samples'), element('p', {className: 'note'}, `${number(samples.length)} drawn from the runs`));
    let shown = samples, at = 0;
    const place = element('span', {'aria-live': 'polite'});
    const holder = element('div');
    const back = element('button', {type: 'button'}, 'Previous'), next = element('button', {type: 'button'}, 'Next');
    const choice = element('select', {'aria-label': 'which samples'}, ...['all', 'passing', 'not passing'].map((name) => element('option', {}, name)));
    const words = element('input', {type: 'search', placeholder: 'Search', 'aria-label': 'search in samples'});
    const show = () => {
      place.textContent = shown.length ? `${at + 1} of ${shown.length}` : 'none';
      back.disabled = at === 0;
      next.disabled = at + 1 >= shown.length;
      holder.replaceChildren(...(shown.length ? [sampleCard(shown[at])] : []));
    };
    const choose = () => {
      const wanted = words.value.toLowerCase();
      shown = samples.filter((sample) => (choice.value === 'all' || sample.passed === (choice.value === 'passing')) &&
        (!wanted || (sample.prompt + '\n' + sample.text + '\n' + sample.problem).toLowerCase().includes(wanted)));
      at = 0;
      show();
    };
    back.onclick = () => { at -= 1; show(); };
    next.onclick = () => { at += 1; show(); };
    choice.onchange = words.oninput = choose;
    page.append(element('div', {className: 'pager'}, back, next, place, choice, words), holder);
    show();
  }

  page.append(element('h1', {}, data.title), element('p', {className: 'note'},
    `${counted(data.runs.length, 'run')}, ${counted(data.datasets.length, 'data set')}; written by assay ${data.tool_version}`));
  data.runs.forEach(runSection);
  data.datasets.forEach(datasetSection);
  samplesSection(data.samples);
  drawCharts();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawCharts);
})();
