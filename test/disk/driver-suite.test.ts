import test from 'ava'
import { runDriverSuite } from '../support/driver-suite.js'
import { QED_CHAINS, QED_GEOMETRIES, RAW_GEOMETRIES } from '../support/geometries.js'

runDriverSuite(test, {
  name: 'raw',
  capabilities: { allocates: false, anySize: true },
  geometries: RAW_GEOMETRIES,
})

runDriverSuite(test, {
  name: 'QED',
  capabilities: { allocates: true, anySize: false },
  geometries: QED_GEOMETRIES,
})

runDriverSuite(test, {
  name: 'QED with backing files',
  capabilities: { allocates: true, anySize: false },
  geometries: QED_CHAINS,
})
