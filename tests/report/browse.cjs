// Copyright: (c) 2026, the fastopen.shadowsocks authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// node browse.cjs CHROMIUM PAGE.html FOLDER: opens a page and prints as JSON what a reader, and a reader's assistive
// technology, get of it: light, dark, on a phone, printed, and without script.

const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

async function open(browser, address, options, seen) {
  const context = await browser.newContext({ viewport: { width: 1040, height: 760 }, ...options });
  const page = await context.newPage();
  page.on('console', (message) => seen.console.push(message.text()));
  page.on('pageerror', (error) => seen.console.push(error.message));
  page.on('request', (request) => {
    if (request.url() !== address && !request.url().startsWith('data:')) seen.requests.push(request.url());
  });
  await page.goto(address);
  return page;
}

async function violations(page) {
  // The page's own policy lets no script in; what is evaluated by the debugger is no script of the page.
  await page.evaluate(axe.source + '; window.axe = axe; undefined');
  const result = await page.evaluate((rules) => window.axe.run({ runOnly: rules }), RULES);
  return result.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' | ')}`);
}

async function main([executablePath, path, folder]) {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const address = pathToFileURL(path).href;
  const seen = { console: [], requests: [], violations: [], wide: [] };
  for (const [name, options] of Object.entries({
    light: { colorScheme: 'light' },
    dark: { colorScheme: 'dark' },
    phone: { colorScheme: 'light', viewport: { width: 390, height: 800 } },
  })) {
    const page = await open(browser, address, options, seen);
    seen.violations.push(...(await violations(page)).map((one) => `${name}: ${one}`));
    if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) seen.wide.push(name);
    if (name === 'light') {
      await page.screenshot({ path: `${folder}/top.png` });
      const last = page.locator('.wave').last();
      if (await last.count()) await last.screenshot({ path: `${folder}/wave.png` });
      seen.tree = await page.locator('body').ariaSnapshot();
      seen.title = await page.title();
      const box = page.getByRole('searchbox');
      if (await box.count()) {
        await box.fill('client');
        const rows = page.locator('#host-table tbody tr');
        seen.found = await rows.evaluateAll((all) => all.filter((row) => row.offsetParent).map((row) => row.innerText));
      }
    }
    if (name === 'dark') seen.back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    if (name === 'phone') {
      await page.emulateMedia({ media: 'print' });
      seen.printed = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    }
    await page.context().close();
  }
  const plain = await open(browser, address, { javaScriptEnabled: false }, seen);
  seen.unscripted = await plain.locator('body').ariaSnapshot();
  await browser.close();
  process.stdout.write(JSON.stringify(seen));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
