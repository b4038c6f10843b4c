/**
 * The ioctl(2) by which a disk that is mounted over a file tells its status, as there is no .rawmount beside it: JSON
 * without blanks, whose length the call returns. _IOR('R', 1, char[16383]), the largest that FUSE passes on.
 */
export const STATUS_CONTROL = 0xbfff5201

/** Bytes. */
export const STATUS_CONTROL_ROOM = 16383
