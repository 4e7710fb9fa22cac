// An Ogg Opus file of silence (RFC 7845), two channels as recordings have: something a player can play.

const CRC = Array.from({ length: 256 }, (_, n) => {
  let r = n << 24;
  for (let bit = 0; bit < 8; bit++) r = r & 0x80000000 ? (r << 1) ^ 0x04c11db7 : r << 1;
  return r >>> 0;
});

/** One Ogg page (RFC 3533 section 6). */
function page(packets, { flags = 0, granule, sequence }) {
  const header = Buffer.alloc(27 + packets.length);
  header.write("OggS", 0);
  header.writeUInt8(flags, 5);
  header.writeBigUInt64LE(BigInt(granule), 6);
  header.writeUInt32LE(0x7a4d, 14);
  header.writeUInt32LE(sequence, 18);
  header.writeUInt8(packets.length, 26);
  packets.forEach((packet, at) => header.writeUInt8(packet.length, 27 + at));
  const bytes = Buffer.concat([header, ...packets]);
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ CRC[((crc >>> 24) ^ byte) & 0xff]) >>> 0;
  bytes.writeUInt32LE(crc, 22);
  return bytes;
}

/** @param {number} seconds */
export function silence(seconds) {
  const head = Buffer.from("4f707573486561640102000080bb0000000000", "hex");
  const vendor = "tandem";
  const tags = Buffer.alloc(16 + vendor.length);
  tags.write("OpusTags", 0);
  tags.writeUInt32LE(vendor.length, 8);
  tags.write(vendor, 12);
  const pages = [page([head], { flags: 2, granule: 0, sequence: 0 }), page([tags], { granule: 0, sequence: 1 })];
  // 20 ms of CELT silence, stereo; 50 of them a page.
  const second = Array.from({ length: 50 }, () => Buffer.from([0xfc, 0xff, 0xfe]));
  for (let n = 1; n <= seconds; n++) pages.push(page(second, { flags: n === seconds ? 4 : 0, granule: n * 48000, sequence: n + 1 }));
  return Buffer.concat(pages);
}
