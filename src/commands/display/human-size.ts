const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** "1 GiB", "1.5 KiB", "580 KiB": three significant digits, as qemu-img prints sizes. */
export function humanSize(bytes: number): string {
  let unit = 0
  let value = bytes
  // From 1000 on, not 1024: "0.977 KiB" needs less room than "1000 B".
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`
}

/** "1 GiB (1073741824 bytes)". */
export function humanSizeWithBytes(bytes: number): string {
  return `${humanSize(bytes)} (${bytes} bytes)`
}
