// How the page looks: one column that a tired person can read, in the colours that the reader's system prefers. The
// charts use the same variables, so that they follow.

/// The style sheet.
enum HTMLStyle {
    static let text = """
        :root {
          color-scheme: light dark;
          --page: #f6f7f9; --card: #ffffff; --ink: #1b2430; --soft: #5b6675; --line: #dfe4ea;
          --good: #14764a; --good-wash: #e3f4ea; --bad: #b3261e; --bad-wash: #fde8e6;
          --warn: #8a5a00; --warn-wash: #fdf2d8; --data: #2459c7; --fault: #c2410c; --base: #64748b;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #10141a; --card: #181e26; --ink: #e4e9f0; --soft: #98a4b3; --line: #2c3541;
            --good: #5fd39a; --good-wash: #123124; --bad: #ff8a80; --bad-wash: #3a1a19;
            --warn: #f2c15c; --warn-wash: #33280f; --data: #7fa8ff; --fault: #ff9d66; --base: #8fa0b5;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--page); color: var(--ink);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif;
          overflow-wrap: anywhere; font-variant-numeric: tabular-nums;
        }
        main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
        header.verdict {
          border-radius: 12px; padding: 1.25rem 1.5rem; margin-bottom: 1rem;
          background: var(--wash); border-left: 8px solid var(--tone);
        }
        .held { --tone: var(--good); --wash: var(--good-wash); }
        .deviated, .aborted, .failed, .leaked { --tone: var(--bad); --wash: var(--bad-wash); }
        .inconclusive { --tone: var(--warn); --wash: var(--warn-wash); }
        .skipped { --tone: var(--soft); --wash: var(--page); }
        .outcome { color: var(--tone); background: var(--wash); border-radius: 99px; padding: .05rem .6rem; }
        a { color: var(--data); }
        .word {
          color: var(--tone); font-size: 2.1rem; line-height: 1.1; font-weight: 750;
          letter-spacing: .02em; margin: 0;
        }
        h1 { font-size: 1.35rem; line-height: 1.3; margin: .35rem 0 .5rem; }
        .answers { display: flex; flex-wrap: wrap; gap: .4rem .6rem; padding: 0; margin: .6rem 0 0; list-style: none; }
        .answers li { background: var(--card); border-radius: 99px; padding: .15rem .8rem; font-size: .95rem; }
        .answers .alarm { background: var(--bad); color: var(--card); font-weight: 700; }
        section {
          background: var(--card); border: 1px solid var(--line); border-radius: 12px;
          padding: 1rem 1.25rem; margin: 1rem 0;
        }
        h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
        h3 { font-size: 1rem; margin: 1.4rem 0 .1rem; }
        h3:first-child { margin-top: 0; }
        p { margin: .3rem 0; }
        ul { margin: 0; padding-left: 1.2rem; }
        li { margin: .2rem 0; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
        dt { color: var(--soft); }
        dd { margin: 0; }
        .soft { color: var(--soft); }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-size: .93rem; }
        th { text-align: left; color: var(--soft); font-weight: 600; white-space: nowrap; }
        th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
        tr:last-child td { border-bottom: 0; }
        td b { white-space: nowrap; }
        td.time, .time { white-space: nowrap; color: var(--soft); }
        code, pre { font: .88rem/1.45 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; }
        pre { white-space: pre-wrap; background: var(--page); padding: .8rem; border-radius: 8px; margin: .5rem 0 0; }
        svg { display: block; width: 100%; height: auto; }
        svg text { fill: var(--soft); font: 12px system-ui, "Noto Sans", sans-serif; }
        .grid { stroke: var(--line); stroke-width: 1; }
        .axis { stroke: var(--soft); stroke-width: 1; }
        .baseline { fill: var(--base); opacity: .13; }
        .window { fill: var(--fault); opacity: .15; }
        .edge { stroke: var(--fault); stroke-width: 1; stroke-dasharray: 2 3; }
        .unhealthy { fill: var(--warn); opacity: .09; }
        .intolerable { fill: var(--bad); opacity: .12; }
        .limit { stroke: var(--good); stroke-width: 1.5; stroke-dasharray: 7 4; }
        .abort { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 3 3; }
        .data { fill: none; stroke: var(--data); stroke-width: 2; stroke-linejoin: round; }
        .dot { fill: var(--data); }
        .gap { fill: var(--bad); }
        .violation { stroke: var(--bad); stroke-width: 1.5; }
        svg .named { fill: var(--ink); }
        svg .limit-name { fill: var(--good); }
        svg .abort-name { fill: var(--bad); }
        svg .window-name { fill: var(--fault); }
        .phase { fill: var(--base); opacity: .3; }
        .bar { fill: var(--tone, var(--fault)); opacity: .75; }
        .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; color: var(--soft); }
        .legend i { display: inline-block; width: 1.1rem; height: .7rem; margin-right: .35rem; border-radius: 2px; }
        .legend .k-base { background: var(--base); opacity: .35; }
        .legend .k-fault { background: var(--fault); opacity: .4; }
        .legend .k-limit { height: 0; border-top: 2px dashed var(--good); vertical-align: middle; }
        .legend .k-abort { height: 0; border-top: 2px dotted var(--bad); vertical-align: middle; }
        summary { cursor: pointer; font-weight: 600; }
        @media print { body { background: #fff; } section, header.verdict { break-inside: avoid; } }
        """
}
