#include "core/packer.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

#include "core/text.h"

namespace assay {
namespace {

constexpr int kGzipLevel = 6;
constexpr int kZstdLevel = 3;
constexpr int kGzipWindow = 15 + 16;  // 32 KiB, with gzip's header
constexpr size_t kPiece = size_t{64} << 10;

Error LibraryError(std::string_view what) {
  return {ErrorCode::kInternal, StrCat("cannot pack: ", what), ""};
}

// Binary forms by the ends of their names. `assay export` writes Parquet before it comes here.
constexpr std::string_view kNotWritten[] = {".xz",  ".bz2",  ".lz4",     ".lzma",    ".br",
                                            ".zip", ".tar",  ".tgz",     ".parquet", ".arrow",
                                            ".orc", ".avro", ".feather", ".xlsx"};

class Plain : public Packer {
 public:
  Status Add(std::string_view bytes, std::string* out) override {
    out->append(bytes);
    return {};
  }
  Status Finish(std::string* /*out*/) override { return {}; }
};

class Gzip : public Packer {
 public:
  Gzip() {
    ready_ =
        deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Gzip() override { deflateEnd(&stream_); }

  Status Add(std::string_view bytes, std::string* out) override {
    constexpr size_t kMost = std::numeric_limits<uInt>::max();
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, kMost);
      bytes.remove_prefix(piece.size());
      if (Status status = Run(piece, Z_NO_FLUSH, out); !status.ok()) return status;
    }
    return {};
  }
  Status Finish(std::string* out) override { return Run({}, Z_FINISH, out); }

 private:
  Status Run(std::string_view bytes, int flush, std::string* out) {
    if (!ready_) return LibraryError("zlib has no memory");
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      const size_t before = out->size();
      out->resize(before + kPiece);
      stream_.next_out = reinterpret_cast<Bytef*>(out->data() + before);
      stream_.avail_out = static_cast<uInt>(kPiece);
      const int code = deflate(&stream_, flush);
      out->resize(before + kPiece - stream_.avail_out);
      if (code == Z_STREAM_ERROR) return LibraryError("zlib's stream is broken");
    } while (stream_.avail_out == 0);
    return {};
  }

  z_stream stream_{};
  bool ready_ = false;
};

class Zstd : public Packer {
 public:
  Zstd() : context_(ZSTD_createCCtx()) {
    if (context_ != nullptr) {
      ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, kZstdLevel);
      ZSTD_CCtx_setParameter(context_, ZSTD_c_checksumFlag, 1);
    }
  }
  ~Zstd() override { ZSTD_freeCCtx(context_); }

  Status Add(std::string_view bytes, std::string* out) override {
    return Run(bytes, ZSTD_e_continue, out);
  }
  Status Finish(std::string* out) override { return Run({}, ZSTD_e_end, out); }

 private:
  Status Run(std::string_view bytes, ZSTD_EndDirective end, std::string* out) {
    if (context_ == nullptr) return LibraryError("zstd has no memory");
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      const size_t before = out->size();
      out->resize(before + kPiece);
      ZSTD_outBuffer piece{out->data() + before, kPiece, 0};
      const size_t left = ZSTD_compressStream2(context_, &piece, &in, end);
      out->resize(before + piece.pos);
      if (ZSTD_isError(left)) return LibraryError(ZSTD_getErrorName(left));
      if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  ZSTD_CCtx* context_;
};

}  // namespace

Status Packer::CheckName(std::string_view path) {
  for (const std::string_view ending : kNotWritten) {
    if (!EndsWith(path, ending)) continue;
    return Error{
        ErrorCode::kUsage, StrCat("cannot write '", path, "': ", ending, " is not written here"),
        "lines go into .jsonl, .jsonl.gz or .jsonl.zst; `assay export` writes .parquet, too"};
  }
  return {};
}

Packer::Kind Packer::KindOf(std::string_view path) {
  if (EndsWith(path, ".gz")) return Kind::kGzip;
  return EndsWith(path, ".zst") || EndsWith(path, ".zstd") ? Kind::kZstd : Kind::kNone;
}

std::unique_ptr<Packer> Packer::Make(Kind kind) {
  if (kind == Kind::kGzip) return std::make_unique<Gzip>();
  if (kind == Kind::kZstd) return std::make_unique<Zstd>();
  return std::make_unique<Plain>();
}

}  // namespace assay
