//! Finds what an exporter multiplied into a weight: a number, or a normalization.
//!
//! Nothing is assumed of names: a fold counts only if it reproduces the initializer's value at the
//! reference checkpoint. Names decide between folds that do so equally well.

use super::index::Known;
use super::layout::{Piece, len, orders, permute};
use super::names::{Name, Role};
use super::norm::{Folded, Part, factor_of};
use super::recipe::{Recipe, Scaled};
use crate::archive::{Kind, Numbers};

/// The largest relative difference between a fold and what it must reproduce.
///
/// Exporters fold in single precision: a product of three rounded numbers and a rounded root is off
/// by about 2 × 10⁻⁷; ten times that leaves room for another order of operations.
const TOLERANCE: f64 = 2e-6;

/// The numbers under the root that frameworks use by default, the most common first.
const EPSILONS: [f64; 9] = [1e-5, 1e-3, 1e-6, 1e-4, 1e-12, 1e-8, 1e-7, 1e-2, 0.0];

/// A tensor of as many values as there are channels.
struct Vector<'k, 'w> {
    tensor: &'k Known<'w>,
    values: Vec<f64>,
}

/// A fold of an initializer, and how well it fits.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    pub recipe: Recipe,
    pub largest_difference: f64,
}

/// Every way in which the initializer is one of the tensors times a normalization.
pub(super) fn of_weight(own: &Numbers<'_>, shape: &[usize], tensors: &[&Known<'_>]) -> Vec<Fit> {
    let wanted = own.doubles();
    let mut fits = Vec::new();
    for tensor in tensors.iter().filter(|tensor| tensor.values.len() == wanted.len()) {
        for piece in layouts(tensor, shape) {
            let axes = (0..shape.len()).filter(|&axis| shape[axis] > 1);
            let axes: Vec<usize> = axes.filter(|&axis| may_fit(&wanted, shape, axis, tensor, &piece)).collect();
            let values = if axes.is_empty() { Vec::new() } else { laid_out(tensor, &piece) };
            for axis in axes {
                let Some(factors) = ratios(&wanted, &values, shape, axis) else { continue };
                let part = Part::Weight { piece: piece.clone(), axis };
                fits.extend(normalizations(&factors, &part, tensors));
            }
        }
    }
    for fit in &mut fits {
        if let Recipe::Folded(folded) = &fit.recipe {
            fit.largest_difference = difference(folded, &wanted, shape, tensors);
        }
    }
    fits
}

/// Every way in which the initializer is one of the tensors times a number that the network's shape explains.
///
/// Any other number may be learned, such as a norm or a temperature, and would be another one at the next checkpoint.
pub(super) fn of_number(own: &Numbers<'_>, shape: &[usize], tensors: &[&Known<'_>]) -> Vec<Fit> {
    let wanted = own.doubles();
    let mut fits = Vec::new();
    for tensor in tensors.iter().filter(|tensor| tensor.values.len() == wanted.len()) {
        for piece in
            layouts(tensor, shape).into_iter().filter(|piece| may_fit(&wanted, &[1, wanted.len()], 0, tensor, piece))
        {
            let values = laid_out(tensor, &piece);
            let Some(by) = ratio(&wanted, &values).filter(|&by| is_structural(by, shape)) else { continue };
            let difference = values.iter().zip(&wanted).map(|(value, wanted)| (value * by - wanted).abs());
            let largest_difference = difference.fold(0.0, f64::max);
            fits.push(Fit { recipe: Recipe::Scaled(Scaled { piece, by }), largest_difference });
        }
    }
    fits
}

/// Every way in which a vector is the factor of a normalization alone.
pub(super) fn of_factor(own: &Numbers<'_>, tensors: &[&Known<'_>]) -> Vec<Fit> {
    normalizations(&own.doubles().into_iter().map(Some).collect::<Vec<_>>(), &Part::Factor, tensors)
}

/// Every way in which a vector is a bias that a known normalization was folded into.
pub(super) fn of_bias(own: &Numbers<'_>, norms: &[Folded], tensors: &[&Known<'_>], all: &[&Known<'_>]) -> Vec<Fit> {
    let wanted = own.doubles();
    let channels = wanted.len();
    let vectors = vectors(tensors, channels);
    let read = |name: &str| all.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.values.doubles());
    let mut fits = Vec::new();
    for norm in norms {
        let Some(variance) = read(&norm.variance).filter(|variance| variance.len() == channels) else { continue };
        let scale = norm.scale.as_deref().and_then(read).unwrap_or_else(|| vec![1.0; channels]);
        let factor: Vec<f64> =
            scale.iter().zip(&variance).map(|(scale, variance)| factor_of(*scale, *variance, norm.epsilon)).collect();
        // Zero stands for a tensor that is not there; a tensor of zeros counts only where it belongs by its name.
        let zero = vec![0.0; channels];
        let with_none = |role: Role, home: &str| {
            let home = Name::new(home);
            let fits = move |vector: &&Vector<'_, '_>| {
                let is_zero = vector.values.iter().all(|value| *value == 0.0);
                let name = &vector.tensor.parsed;
                name.role.is_none_or(|found| found == role) && (!is_zero || name.beside(&home))
            };
            let fitting = vectors.iter().filter(fits).map(|vector| (Some(vector.tensor), &vector.values));
            fitting.chain([(None, &zero)]).collect::<Vec<_>>()
        };
        let (shifts, means) = (with_none(Role::Bias, &norm.variance), with_none(Role::Mean, &norm.variance));
        let biases = match &norm.part {
            Part::Weight { piece, .. } => with_none(Role::Bias, &piece.name),
            Part::Bias { .. } | Part::Factor => vec![(None, &zero)],
        };
        for (mean, mean_values) in &means {
            for (shift, shift_values) in &shifts {
                for (bias, bias_values) in &biases {
                    if (bias.is_some() && bias.map(|tensor| tensor.name) == shift.map(|tensor| tensor.name))
                        || (mean.is_none() && shift.is_none() && bias.is_none())
                    {
                        continue;
                    }
                    let mut largest: f64 = 0.0;
                    let fits_all = (0..channels).all(|c| {
                        let terms = [factor[c] * bias_values[c], -factor[c] * mean_values[c], shift_values[c]];
                        let off = (terms.iter().sum::<f64>() - wanted[c]).abs();
                        largest = largest.max(off);
                        off <= TOLERANCE * terms.iter().map(|term| term.abs()).sum::<f64>()
                    });
                    if fits_all {
                        let name = |tensor: Option<&Known<'_>>| tensor.map(|tensor| tensor.name.to_owned());
                        let part = Part::Bias { bias: name(*bias) };
                        let folded = Folded { part, mean: name(*mean), shift: name(*shift), ..norm.clone() };
                        fits.push(Fit { recipe: Recipe::Folded(folded), largest_difference: largest });
                    }
                }
            }
        }
    }
    fits
}

/// Every (scale, variance, ε) whose factor is the wanted one in every channel where it is known.
fn normalizations(factors: &[Option<f64>], part: &Part, tensors: &[&Known<'_>]) -> Vec<Fit> {
    let vectors = vectors(tensors, factors.len());
    let mut fits = Vec::new();
    let is = |vector: &Vector<'_, '_>, role: Role| vector.tensor.parsed.role.is_none_or(|found| found == role);
    let scales = vectors.iter().filter(|vector| is(vector, Role::Weight)).map(Some).chain([None]);
    for scale in scales {
        for variance in vectors.iter().filter(|vector| is(vector, Role::Variance)) {
            if scale.is_some_and(|scale| scale.tensor.name == variance.tensor.name) {
                continue;
            }
            let off = |epsilon: f64| {
                let mut worst: f64 = 0.0;
                for (c, wanted) in factors.iter().enumerate() {
                    let Some(wanted) = wanted else { continue };
                    let found = factor_of(scale.map_or(1.0, |scale| scale.values[c]), variance.values[c], epsilon);
                    let off = (found - wanted).abs() / found.abs().max(f64::MIN_POSITIVE);
                    worst = worst.max(off);
                    if worst > TOLERANCE || worst.is_nan() {
                        return None;
                    }
                }
                Some(worst)
            };
            // Where none of the usual ones fits, the channel of the smallest variance tells best.
            let solved = (0..factors.len())
                .min_by(|&a, &b| variance.values[a].total_cmp(&variance.values[b]))
                .and_then(|c| {
                    Some((scale.map_or(1.0, |scale| scale.values[c]) / factors[c]?).powi(2) - variance.values[c])
                })
                .filter(|epsilon| (1e-12..0.1).contains(epsilon));
            // The first of equally good ones is the most common.
            let usual = EPSILONS.iter().filter_map(|&epsilon| Some((off(epsilon)?, epsilon)));
            let usual = usual.reduce(|best, other| if other.0 < best.0 { other } else { best });
            let best = usual.or_else(|| solved.and_then(|epsilon| Some((off(epsilon)?, epsilon))));
            if let Some((worst, epsilon)) = best {
                let folded = Folded {
                    part: part.clone(),
                    scale: scale.map(|scale| scale.tensor.name.to_owned()),
                    shift: None,
                    mean: None,
                    variance: variance.tensor.name.to_owned(),
                    epsilon,
                };
                fits.push(Fit { recipe: Recipe::Folded(folded), largest_difference: worst });
            }
        }
    }
    fits
}

/// The layouts in which a tensor has just the sizes of the initializer.
fn layouts(tensor: &Known<'_>, shape: &[usize]) -> Vec<Piece> {
    let long = |shape: &[usize]| shape.iter().copied().filter(|&size| size > 1).collect::<Vec<_>>();
    let whole = Piece::whole(tensor.name);
    let ordered = orders(tensor.shape).into_iter().map(|axes| Piece { axes: Some(axes), ..whole.clone() });
    let all = [whole.clone()].into_iter().chain(ordered);
    all.filter(|piece| piece.shape(tensor.shape).is_ok_and(|found| long(&found) == long(shape))).collect()
}

fn laid_out(tensor: &Known<'_>, piece: &Piece) -> Vec<f64> {
    match &piece.axes {
        Some(axes) => permute(&tensor.values, tensor.shape, axes).doubles(),
        None => tensor.values.doubles(),
    }
}

/// A glance at a few values of the first channel: most tensors are no multiple of most others.
fn may_fit(wanted: &[f64], shape: &[usize], axis: usize, tensor: &Known<'_>, piece: &Piece) -> bool {
    const GLANCE: usize = 8;
    let inner = len(&shape[axis + 1..]);
    let places = (0..wanted.len() / (shape[axis] * inner))
        .flat_map(|outer| (0..inner).map(move |place| outer * shape[axis] * inner + place));
    let order: Vec<usize> = piece.axes.clone().unwrap_or_else(|| (0..tensor.shape.len()).collect());
    let value = |mut place: usize| {
        // From the place in the new order of axes to that in the tensor.
        let mut at = 0;
        for &axis in order.iter().rev() {
            at += place % tensor.shape[axis] * len(&tensor.shape[axis + 1..]);
            place /= tensor.shape[axis];
        }
        tensor.values.double_at(at)
    };
    let pairs: Vec<(f64, f64)> = places.take(GLANCE).map(|place| (wanted[place], value(place))).collect();
    let largest = pairs.iter().copied().reduce(|a, b| if b.1.abs() > a.1.abs() { b } else { a });
    // Cross products, so that zeros need no care; a hundred times the tolerance, since this is only a glance.
    largest.is_none_or(|(a, b)| {
        let scale = a.abs().max(f64::MIN_POSITIVE) * b.abs().max(f64::MIN_POSITIVE);
        pairs.iter().all(|&(wanted, value)| (wanted * b - value * a).abs() <= 100.0 * TOLERANCE * scale)
    })
}

/// Whether a number comes from the shape of a network: a power of two, or a root or fraction of a width.
fn is_structural(by: f64, shape: &[usize]) -> bool {
    let of_width = |number: f64| {
        let whole = number.round();
        let is_whole = whole >= 2.0 && (number - whole).abs() <= TOLERANCE * 8.0 * whole;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be small and whole")]
        let divides = is_whole && whole < 1e9 && shape.iter().any(|size| size.is_multiple_of(whole as usize));
        is_whole && (whole.log2().fract() == 0.0 || divides)
    };
    (by + 1.0).abs() <= TOLERANCE
        || [1, 2, 4].into_iter().any(|power| of_width(by.abs().powi(power)) || of_width(by.abs().powi(-power)))
}

/// The number that a tensor was multiplied with, if it is the same everywhere and not one.
fn ratio(wanted: &[f64], values: &[f64]) -> Option<f64> {
    let factors = ratios(wanted, values, &[1, wanted.len()], 0)?;
    factors[0].filter(|factor| (factor - 1.0).abs() > TOLERANCE && *factor != 0.0)
}

/// The number that each channel was multiplied with, by least squares; none where the channel is zero.
fn ratios(wanted: &[f64], values: &[f64], shape: &[usize], axis: usize) -> Option<Vec<Option<f64>>> {
    let inner = len(&shape[axis + 1..]);
    let channels = shape[axis];
    let places = |channel: usize| {
        (0..wanted.len() / (channels * inner))
            .flat_map(move |outer| (0..inner).map(move |place| (outer * channels + channel) * inner + place))
    };
    let one = |channel: usize| {
        let (mut product, mut square, mut most) = (0.0, 0.0, 0.0_f64);
        for place in places(channel) {
            product += wanted[place] * values[place];
            square += values[place] * values[place];
            most = most.max(wanted[place].abs());
        }
        if square == 0.0 {
            return (most == 0.0).then_some(None);
        }
        let factor = product / square;
        let fits = places(channel).all(|place| (wanted[place] - factor * values[place]).abs() <= TOLERANCE * most);
        (fits && most > 0.0).then_some(Some(factor))
    };
    let factors = (0..channels).map(one).collect::<Option<Vec<_>>>()?;
    factors.iter().any(Option::is_some).then_some(factors)
}

fn vectors<'k, 'w>(tensors: &[&'k Known<'w>], channels: usize) -> Vec<Vector<'k, 'w>> {
    let fitting = tensors.iter().filter(|tensor| tensor.values.len() == channels && tensor.values.kind().is_float());
    fitting.map(|tensor| Vector { tensor, values: tensor.values.doubles() }).collect()
}

/// The largest difference between a fold, rounded as the graph would, and what it must reproduce.
fn difference(folded: &Folded, wanted: &[f64], shape: &[usize], tensors: &[&Known<'_>]) -> f64 {
    let known = |name: &str| tensors.iter().find(|tensor| tensor.name == name);
    let double = |name: &str| Ok(known(name).map(|tensor| tensor.values.doubles()).unwrap_or_default());
    let whole = |piece: &Piece| {
        let taken = known(&piece.name).map(|tensor| piece.take(tensor.values.clone(), tensor.shape));
        Ok(taken.and_then(Result::ok).map(|values| values.doubles()).unwrap_or_default())
    };
    let found = folded.value(shape, &double, &whole).ok().and_then(|values| Numbers::from_doubles(Kind::F32, &values));
    found.map_or(f64::INFINITY, |found| {
        found.doubles().iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    })
}
