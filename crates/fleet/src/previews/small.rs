//! Makes a picture small. What a worker has written may be anything.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use aiobpy_wire::PictureUnderWay;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use super::Preview;

/// The longer side, in pixels.
pub(super) const LONGEST_SIDE: u32 = 512;
const QUALITY: u8 = 85;
/// Bytes that a picture may take in memory: twice as many as one of 16384 by 8192 pixels.
const MOST_MEMORY: u64 = 1 << 30;

#[derive(Debug, thiserror::Error)]
pub(super) enum NoPicture {
    #[error("there is nothing at `{}`: {source}", path.display())]
    NotThere { path: PathBuf, source: io::Error },
    #[error("`{}` is not in the worker's folder", path.display())]
    Elsewhere { path: PathBuf },
    #[error("`{}` is no picture that can be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: image::ImageError },
    #[error("the small picture could not be written: {0}")]
    Unwritten(image::ImageError),
}

/// Reads a picture of a worker that has `folder`, and makes it small.
pub(super) fn small(
    picture: &PictureUnderWay,
    folder: &Path,
    tag: String,
) -> Result<Preview, NoPicture> {
    let PictureUnderWay::Whole { path } = picture;
    let image = read(&inside(path, folder)?)?;
    let image = if image.width().max(image.height()) > LONGEST_SIDE {
        image.thumbnail(LONGEST_SIDE, LONGEST_SIDE)
    } else {
        image
    };
    encoded(&image, tag).map_err(NoPicture::Unwritten)
}

/// The path of a file in the worker's folder, with links followed: what it names may be a trap.
fn inside(path: &Path, folder: &Path) -> Result<PathBuf, NoPicture> {
    let failed = |source| NoPicture::NotThere { path: path.to_owned(), source };
    let (real, folder) =
        (path.canonicalize().map_err(failed)?, folder.canonicalize().map_err(failed)?);
    if real.starts_with(&folder) {
        Ok(real)
    } else {
        Err(NoPicture::Elsewhere { path: path.to_owned() })
    }
}

fn read(path: &Path) -> Result<DynamicImage, NoPicture> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    let decode = || {
        let mut reader = ImageReader::open(path)?;
        reader.set_format(ImageFormat::Png);
        reader.limits(limits);
        reader.decode()
    };
    decode().map_err(|source| NoPicture::Unreadable { path: path.to_owned(), source })
}

/// As JPEG; as PNG where something can be seen through.
fn encoded(image: &DynamicImage, tag: String) -> Result<Preview, image::ImageError> {
    let mut bytes = Vec::new();
    let content_type = if is_transparent(image) {
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
        "image/png"
    } else {
        image.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
        "image/jpeg"
    };
    Ok(Preview { content_type: content_type.to_owned(), tag, bytes })
}

fn is_transparent(image: &DynamicImage) -> bool {
    image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX)
}
