//! A QR code: of squares, as a drawing, and as text for a terminal.

use aiobpy_wire::Problem;
use qrcode::render::{svg, unicode};
use qrcode::{Color, EcLevel};

use crate::error::Failure;

/// A text as a QR code.
pub struct QrCode(qrcode::QrCode);

impl QrCode {
    /// # Errors
    /// The text is too long, which no address of ours is.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let code = qrcode::QrCode::with_error_correction_level(text, EcLevel::M);
        code.map(Self).map_err(|error| Failure::no_qr_code(&error))
    }

    /// Squares along one side, without the margin of four that belongs around it.
    pub fn size(&self) -> usize {
        self.0.width()
    }

    /// One byte for each square, row by row from the top: 1 is dark.
    pub fn squares(&self) -> Vec<u8> {
        self.0.to_colors().into_iter().map(|color| u8::from(color == Color::Dark)).collect()
    }

    /// A drawing, with its margin.
    pub fn svg(&self) -> String {
        self.0.render::<svg::Color<'_>>().min_dimensions(240, 240).build()
    }

    /// Two squares to a character, with the margin: light on dark, as terminals are.
    pub fn text(&self) -> String {
        self.0
            .render::<unicode::Dense1x2>()
            .dark_color(unicode::Dense1x2::Light)
            .light_color(unicode::Dense1x2::Dark)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_marks() {
        let address = "https://192.168.100.200:43210/pair#0123456789abcdef0123456789abcdef";
        let code = QrCode::new(address).unwrap();
        let (size, squares) = (code.size(), code.squares());
        assert_eq!(squares.len(), size * size);
        let corner = |x: usize, y: usize| squares[y * size + x];
        for (x, y) in [(0, 0), (size - 7, 0), (0, size - 7)] {
            assert!((0..7).all(|offset| corner(x + offset, y) == 1));
            assert_eq!(corner(x + 1, y + 1), 0);
            assert_eq!(corner(x + 3, y + 3), 1);
        }
        assert!(code.svg().contains("<svg"));
        assert_eq!(code.text().lines().count(), (size + 8).div_ceil(2));
    }
}
