//! Where two pictures differ, and how much.

use std::io::Cursor;

use image::{ImageFormat, ImageReader, RgbaImage};

use super::similarity::{Plane, similarity};

/// The picture of the difference shows it so many times as strong.
pub(super) const STRENGTH: u8 = 8;

#[derive(Debug)]
pub(super) struct Difference {
    /// The largest of one channel of one pixel, of 255.
    pub(super) max: u8,
    /// Over all channels of all pixels, of 255.
    pub(super) mean: f64,
    /// From -1 to 1.
    pub(super) similarity: f64,
    /// A PNG file.
    pub(super) picture: Vec<u8>,
}

impl Difference {
    /// Compares two PNG files; says why that cannot be, if it cannot.
    pub(super) fn of(one: &[u8], other: &[u8]) -> Result<Self, String> {
        let (one, other) = (read(one)?, read(other)?);
        if one.dimensions() != other.dimensions() {
            let (w1, h1) = one.dimensions();
            let (w2, h2) = other.dimensions();
            return Err(format!("the first has {w1} × {h1} pixels, the second {w2} × {h2}"));
        }
        let mut shown = RgbaImage::new(one.width(), one.height());
        let (mut max, mut sum) = (0, 0_u64);
        for ((a, b), to) in one.pixels().zip(other.pixels()).zip(shown.pixels_mut()) {
            let by: [u8; 4] = std::array::from_fn(|channel| a.0[channel].abs_diff(b.0[channel]));
            max = by.into_iter().fold(max, u8::max);
            sum += by.into_iter().map(u64::from).sum::<u64>();
            // What differs in transparency alone shows as grey.
            let [red, green, blue] = [by[0], by[1], by[2]].map(|by_colour| by_colour.max(by[3]));
            to.0 = [red, green, blue, 255].map(|value| value.saturating_mul(STRENGTH));
        }
        let channels = f64::from(one.width()) * f64::from(one.height()) * 4.0;
        #[expect(clippy::cast_precision_loss, reason = "a picture has fewer than 2⁴⁴ pixels")]
        let mean = sum as f64 / channels;
        let similarity = similarity(&brightness(&one), &brightness(&other));
        Ok(Self { max, mean, similarity, picture: write(&shown)? })
    }
}

fn read(png: &[u8]) -> Result<RgbaImage, String> {
    let reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    let image = reader.decode().map_err(|error| format!("a picture cannot be read: {error}"))?;
    Ok(image.into_rgba8())
}

fn write(image: &RgbaImage) -> Result<Vec<u8>, String> {
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).map_err(|error| error.to_string())?;
    Ok(png.into_inner())
}

/// As ITU-R BT.601 weighs the colours, over black.
fn brightness(image: &RgbaImage) -> Plane {
    let value = |pixel: &image::Rgba<u8>| {
        let [red, green, blue, alpha] = pixel.0.map(f64::from);
        (0.299 * red + 0.587 * green + 0.114 * blue) * alpha / 255.0
    };
    Plane {
        width: image.width() as usize,
        height: image.height() as usize,
        values: image.pixels().map(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    fn png(width: u32, paint: impl Fn(u32, u32) -> [u8; 4]) -> Vec<u8> {
        write(&RgbaImage::from_fn(width, 16, |x, y| Rgba(paint(x, y)))).unwrap()
    }

    #[test]
    fn the_same_picture_does_not_differ() {
        let picture = png(16, |x, _| [u8::try_from(x).unwrap(), 0, 0, 255]);
        let found = Difference::of(&picture, &picture).unwrap();
        assert_eq!((found.max, found.mean), (0, 0.0));
        assert!(found.similarity > 0.999_999);
    }

    #[test]
    fn one_pixel_is_found_and_shown_stronger() {
        let spot = |x, y| if (x, y) == (3, 4) { [20, 0, 0, 255] } else { [0, 0, 0, 255] };
        let found = Difference::of(&png(16, |_, _| [0, 0, 0, 255]), &png(16, spot)).unwrap();
        assert_eq!(found.max, 20);
        assert!((found.mean - 20.0 / (16.0 * 16.0 * 4.0)).abs() < 1e-12);
        let shown = read(&found.picture).unwrap();
        assert_eq!(shown.get_pixel(3, 4).0, [160, 0, 0, 255]);
    }

    #[test]
    fn pictures_of_two_sizes_cannot_be_compared() {
        let reason = Difference::of(&png(16, |_, _| [0; 4]), &png(8, |_, _| [0; 4])).unwrap_err();
        assert_eq!(reason, "the first has 16 × 16 pixels, the second 8 × 16");
    }
}
