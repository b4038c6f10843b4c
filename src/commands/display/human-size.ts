export { humanSize, humanSizeWithBytes } from '../../sizes.js'
