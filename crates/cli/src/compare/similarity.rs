//! How like each other two pictures are: SSIM, the index of structural similarity.
//!
//! Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
//! Structural Similarity", IEEE Transactions on Image Processing 13 (4), 2004: of brightness, with a Gaussian
//! window of 11 × 11 and a deviation of 1.5, K1 = 0.01, K2 = 0.03; the mean over all places where the window
//! lies within the picture.

const WINDOW: usize = 11;
const DEVIATION: f64 = 1.5;
const K1: f64 = 0.01;
const K2: f64 = 0.03;
const RANGE: f64 = 255.0;

/// Brightness, row by row.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f64>,
}

/// From -1 to 1; 1 for two that are the same. Both have the same size.
pub(super) fn similarity(one: &Plane, other: &Plane) -> f64 {
    let window = window(one.width.min(one.height));
    let product = |a: &Plane, b: &Plane| Plane {
        values: a.values.iter().zip(&b.values).map(|(a, b)| a * b).collect(),
        ..*a
    };
    let mean_one = blurred(one, &window);
    let mean_other = blurred(other, &window);
    let square_one = blurred(&product(one, one), &window);
    let square_other = blurred(&product(other, other), &window);
    let both = blurred(&product(one, other), &window);
    let (c1, c2) = ((K1 * RANGE).powi(2), (K2 * RANGE).powi(2));
    let mut sum = 0.0;
    for place in 0..both.len() {
        let (a, b) = (mean_one[place], mean_other[place]);
        let variances = square_one[place] - a * a + square_other[place] - b * b;
        let covariance = both[place] - a * b;
        let above = (2.0 * a * b + c1) * (2.0 * covariance + c2);
        sum += above / ((a * a + b * b + c1) * (variances + c2));
    }
    #[expect(clippy::cast_precision_loss, reason = "a picture has fewer than 2⁵² pixels")]
    let places = both.len() as f64;
    sum / places
}

/// Weights that add up to 1; smaller than usual in a picture that is smaller than that.
fn window(smaller: usize) -> Vec<f64> {
    let size =
        WINDOW.min(if smaller % 2 == 1 { smaller } else { smaller.saturating_sub(1) }).max(1);
    #[expect(clippy::cast_precision_loss, reason = "at most 11")]
    let weight = |at: usize| {
        let distance = at as f64 - (size / 2) as f64;
        (-distance * distance / (2.0 * DEVIATION * DEVIATION)).exp()
    };
    let weights: Vec<f64> = (0..size).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The weighted mean around each place where the window lies within the plane.
fn blurred(plane: &Plane, window: &[f64]) -> Vec<f64> {
    let size = window.len();
    let columns = plane.width + 1 - size;
    let weigh = |values: &dyn Fn(usize) -> f64| -> f64 {
        window.iter().enumerate().map(|(at, weight)| weight * values(at)).sum()
    };
    let mut rows = Vec::with_capacity(columns * plane.height);
    for row in plane.values.chunks_exact(plane.width) {
        rows.extend((0..columns).map(|column| weigh(&|at| row[column + at])));
    }
    let mut both = Vec::with_capacity(columns * (plane.height + 1 - size));
    for row in 0..=plane.height - size {
        both.extend((0..columns).map(|column| weigh(&|at| rows[(row + at) * columns + column])));
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(value: impl Fn(usize, usize) -> f64) -> Plane {
        let (width, height) = (32, 24);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Plane { width, height, values: places.map(|(x, y)| value(x, y)).collect() }
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn stripes(x: usize, _: usize) -> f64 {
        (x % 8) as f64 * 30.0
    }

    #[test]
    fn the_same_picture_is_as_like_as_can_be() {
        assert!((similarity(&plane(stripes), &plane(stripes)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn flat_pictures_differ_by_their_brightness_alone() {
        // (2 · 100 · 120 + c1) / (100² + 120² + c1), by hand.
        let found = similarity(&plane(|_, _| 100.0), &plane(|_, _| 120.0));
        assert!((found - 24_006.502_5 / 24_406.502_5).abs() < 1e-9, "{found}");
    }

    #[test]
    fn what_is_turned_round_is_unlike() {
        let found = similarity(&plane(stripes), &plane(|x, y| 210.0 - stripes(x, y)));
        assert!(found < -0.5, "{found}");
    }

    #[test]
    fn a_tiny_picture_has_a_smaller_window() {
        let tiny = |value| Plane { width: 4, height: 2, values: vec![value; 8] };
        assert!((similarity(&tiny(5.0), &tiny(5.0)) - 1.0).abs() < 1e-12);
    }
}
