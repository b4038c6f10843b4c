import test from 'ava'
import { resolveBacking } from '../../../src/disk/gate.js'
import {
  directoryOf,
  hideCredentials,
  identityOf,
  isUrl,
  parseUrl,
  resolveAtUrl,
} from '../../../src/storage/http/url.js'

test('http and https make a URL, whatever their case, and nothing else does', t => {
  for (const name of ['http://h/x', 'HTTPS://h/x']) t.true(isUrl(name), name)
  for (const name of ['http:/h/x', 'ftp://h/x', 'nbd://h/x', 'http', './http://h/x', 'file:x'])
    t.false(isUrl(name), name)
})

test('what is shown of a URL has no user name, no password and no query', t => {
  t.is(hideCredentials('http://user:secret@h:81/a/b.raw?sig=secret#secret'), 'http://h:81/a/b.raw?…')
  t.is(hideCredentials('http://user:sec ret@h:xx/a?secret'), 'http://h:xx/a?…')
  t.is(hideCredentials('user:secret@h.raw'), 'user:secret@h.raw')
  t.throws(() => parseUrl('http://user:secret@h:port/x'), {
    message: 'http://h:port/x: is no valid URL; write it as http://HOST/PATH',
  })
  t.throws(() => parseUrl('http://%zz:x@h/x'), { message: /^http:\/\/h\/x: is no valid URL/ })
})

test('two names of one address are known as one', t => {
  t.is(identityOf(parseUrl('http://a:b@HOST:80/x/../y#z')), identityOf(parseUrl('http://host/y')))
  t.not(identityOf(parseUrl('http://host/y')), identityOf(parseUrl('https://host/y')))
  t.not(identityOf(parseUrl('http://host/y')), identityOf(parseUrl('http://host/y?1')))
})

test('a name in the header of an image at a URL leads to a file beside it, or to another URL', t => {
  const image = 'http://u:p@host/images/vm.qcow2?sig=1'
  t.is(resolveBacking('golden.raw', image), 'http://u:p@host/images/golden.raw')
  t.is(resolveBacking('../a b#1?.raw', image), 'http://u:p@host/a%20b%231%3F.raw')
  t.is(resolveBacking('http:x', image), 'http://u:p@host/images/http%3Ax')
  t.is(resolveBacking('https://other/x', image), 'https://other/x')
  t.is(resolveBacking('/etc/shadow', image), null)
  t.is(resolveAtUrl('//host/x', image), null)
})

test('a local image may name a URL', t => {
  t.is(resolveBacking('http://host/x', '/images/vm.fvd'), 'http://host/x')
  t.is(resolveBacking('nbd://host/x', '/images/vm.fvd'), null)
})

test('files of one directory of a server are known as such', t => {
  t.is(directoryOf('http://host/a/b?c'), directoryOf('http://u:p@host/a/d'))
  t.not(directoryOf('http://host/a/b'), directoryOf('http://host/b'))
})
