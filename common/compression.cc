#include "common/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "common/endian.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr size_t kFirstOutputBytes = 16 * 1024;
// A snappy element makes at most 64 bytes out of 3.
constexpr size_t kSnappyRatioMax = 32;
constexpr std::string_view kXerialMagic("\x82SNAPPY\0", 8);
constexpr size_t kXerialHeaderBytes = 16;
constexpr size_t kXerialBlockBytes = 32 * 1024;
// What zstd's own levels reach (128 MiB of address space); the library's default, said aloud.
constexpr int kZstdWindowLogMax = 27;

absl::Status Corrupt(std::string_view what) { return MakeError(Errc::kCorruptRecord, what); }

absl::Status TooLarge() {
  return MakeError(Errc::kRecordTooLarge, "the batch is too large once decompressed");
}

// A string that grows by doubling up to a limit, for codecs that write into free space.
class Output {
 public:
  Output(std::string& out, size_t expected, size_t bytes_max) : out_(out), bytes_max_(bytes_max) {
    out_.resize(std::min(bytes_max_, std::max(expected, kFirstOutputBytes)));
  }

  // Makes room when all is used. False at the limit.
  bool HasRoom() {
    if (used_ < out_.size()) return true;
    if (out_.size() >= bytes_max_) return false;
    out_.resize(std::min(bytes_max_, out_.size() * 2));
    return true;
  }
  char* at() { return out_.data() + used_; }
  size_t room() const { return out_.size() - used_; }
  void Used(size_t count) { used_ += count; }
  void Finish() { out_.resize(used_); }

 private:
  std::string& out_;
  const size_t bytes_max_;
  size_t used_ = 0;
};

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};
struct Lz4fFree {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};
struct ZstdFree {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

absl::Status Gunzip(std::string_view packed, size_t bytes_max, std::string& out) {
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return Corrupt("zlib does not start");
  const std::unique_ptr<z_stream, InflateEnd> guard(&stream);
  Output output(out, packed.size() * 4, bytes_max);
  while (true) {
    const bool room = output.HasRoom();
    // At the limit the end of the stream may still be read, into no space at all.
    stream.next_out = reinterpret_cast<Bytef*>(output.at());
    stream.avail_out = static_cast<uInt>(output.room());
    const size_t room_before = stream.avail_out;
    const int result = inflate(&stream, Z_NO_FLUSH);
    output.Used(room_before - stream.avail_out);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) break;
      // Several members in a row are one gzip file.
      if (inflateReset(&stream) != Z_OK) return Corrupt("bytes after the gzip stream");
      continue;
    }
    if (result == Z_BUF_ERROR && !room) return TooLarge();
    if (result != Z_OK) return Corrupt("not a gzip stream, or a torn one");
  }
  output.Finish();
  return absl::OkStatus();
}

// Appends one raw snappy block.
absl::Status UnsnapBlock(std::string_view packed, size_t bytes_max, std::string& out) {
  size_t length = 0;
  if (!snappy::GetUncompressedLength(packed.data(), packed.size(), &length) ||
      length > packed.size() * kSnappyRatioMax) {
    return Corrupt("not a snappy block");
  }
  if (length > bytes_max - out.size()) return TooLarge();
  const size_t before = out.size();
  out.resize(before + length);
  if (!snappy::RawUncompress(packed.data(), packed.size(), out.data() + before))
    return Corrupt("not a snappy block");
  return absl::OkStatus();
}

absl::Status Unsnap(std::string_view packed, size_t bytes_max, std::string& out) {
  out.clear();
  if (!packed.starts_with(kXerialMagic)) return UnsnapBlock(packed, bytes_max, out);
  while (!packed.empty()) {
    if (packed.starts_with(kXerialMagic)) {  // Streams may follow each other.
      if (packed.size() < kXerialHeaderBytes) return Corrupt("a torn snappy frame header");
      packed.remove_prefix(kXerialHeaderBytes);
      continue;
    }
    if (packed.size() < 4) return Corrupt("a torn snappy frame");
    const auto length = LoadBigEndian<uint32_t>(packed.data());
    packed.remove_prefix(4);
    if (length > packed.size()) return Corrupt("a torn snappy frame");
    RETURN_IF_ERROR(UnsnapBlock(packed.substr(0, length), bytes_max, out));
    packed.remove_prefix(length);
  }
  return absl::OkStatus();
}

absl::Status Unlz4(std::string_view packed, size_t bytes_max, std::string& out) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)) != 0)
    return Corrupt("lz4 does not start");
  const std::unique_ptr<LZ4F_dctx, Lz4fFree> context(raw);
  Output output(out, packed.size() * 3, bytes_max);
  while (true) {
    const bool room = output.HasRoom();
    size_t out_bytes = output.room();
    size_t in_bytes = packed.size();
    const size_t hint =
        LZ4F_decompress(context.get(), output.at(), &out_bytes, packed.data(), &in_bytes, nullptr);
    if (LZ4F_isError(hint) != 0) return Corrupt("not an lz4 frame");
    output.Used(out_bytes);
    packed.remove_prefix(in_bytes);
    if (hint == 0) break;
    if (in_bytes == 0 && out_bytes == 0) return room ? Corrupt("a torn lz4 frame") : TooLarge();
  }
  if (!packed.empty()) return Corrupt("bytes after the lz4 frame");
  output.Finish();
  return absl::OkStatus();
}

absl::Status Unzstd(std::string_view packed, size_t bytes_max, std::string& out) {
  const std::unique_ptr<ZSTD_DCtx, ZstdFree> context(ZSTD_createDCtx());
  if (context == nullptr || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax,
                                                                kZstdWindowLogMax)) != 0) {
    return Corrupt("zstd does not start");
  }
  Output output(out, packed.size() * 4, bytes_max);
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (true) {
    const bool room = output.HasRoom();
    ZSTD_outBuffer space{output.at(), output.room(), 0};
    const size_t in_before = in.pos;
    const size_t hint = ZSTD_decompressStream(context.get(), &space, &in);
    if (ZSTD_isError(hint) != 0) return Corrupt("not a zstd frame");
    output.Used(space.pos);
    if (hint == 0 && in.pos == in.size) break;
    if (in.pos == in_before && space.pos == 0)
      return room ? Corrupt("a torn zstd frame") : TooLarge();
  }
  output.Finish();
  return absl::OkStatus();
}

std::string Gzip(std::string_view raw) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, raw.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(raw.data()));
  stream.avail_in = static_cast<uInt>(raw.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void AppendInt32(std::string& out, int32_t value) {
  char bytes[4];
  StoreBigEndian<int32_t>(bytes, value);
  out.append(bytes, sizeof(bytes));
}

std::string SnapFramed(std::string_view raw) {
  std::string out(kXerialMagic);
  AppendInt32(out, 1);  // Version, and the oldest that can read it.
  AppendInt32(out, 1);
  for (size_t at = 0; at < raw.size(); at += kXerialBlockBytes) {
    const std::string block = CompressSnappyRaw(raw.substr(at, kXerialBlockBytes));
    AppendInt32(out, static_cast<int32_t>(block.size()));
    out += block;
  }
  return out;
}

}  // namespace

absl::Status DecompressInto(Compression codec, std::string_view packed, size_t bytes_max,
                            std::string& out) {
  switch (codec) {
    case Compression::kNone:
      if (packed.size() > bytes_max) return TooLarge();
      out.assign(packed);
      return absl::OkStatus();
    case Compression::kGzip:
      return Gunzip(packed, bytes_max, out);
    case Compression::kSnappy:
      return Unsnap(packed, bytes_max, out);
    case Compression::kLz4:
      return Unlz4(packed, bytes_max, out);
    case Compression::kZstd:
      return Unzstd(packed, bytes_max, out);
  }
  return Corrupt("an unknown compression codec");
}

absl::StatusOr<std::string> Decompress(Compression codec, std::string_view packed,
                                       size_t bytes_max) {
  std::string out;
  RETURN_IF_ERROR(DecompressInto(codec, packed, bytes_max, out));
  return out;
}

std::string CompressSnappyRaw(std::string_view raw) {
  std::string out;
  snappy::Compress(raw.data(), raw.size(), &out);
  return out;
}

std::string Compress(Compression codec, std::string_view raw) {
  switch (codec) {
    case Compression::kNone:
      return std::string(raw);
    case Compression::kGzip:
      return Gzip(raw);
    case Compression::kSnappy:
      return SnapFramed(raw);
    case Compression::kLz4: {
      std::string out(LZ4F_compressFrameBound(raw.size(), nullptr), '\0');
      out.resize(LZ4F_compressFrame(out.data(), out.size(), raw.data(), raw.size(), nullptr));
      return out;
    }
    case Compression::kZstd: {
      std::string out(ZSTD_compressBound(raw.size()), '\0');
      out.resize(ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), 3));
      return out;
    }
  }
  return std::string(raw);
}

}  // namespace garam
