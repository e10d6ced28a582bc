import numpy as np
import pytest
from adversary_toys import DictEnv, PointEnv
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from safer_gym.wrappers.obs_layout import ObsLayout
from safer_gym.wrappers.units import make_ball, radius, unit_of

BOX = ObsLayout(spaces.Box(np.float32([0, -1]), np.float32([2, 3])))
DICT = ObsLayout(DictEnv().observation_space)


def test_raw_radius_is_eps_itself_and_zero_on_other_keys():
    assert radius(BOX, 0.1, unit_of(BOX, "raw", None)).tolist() == [0.1, 0.1]
    only = ObsLayout(DictEnv().observation_space, ["pos"])
    got = dict(zip(["far", "mode", "pos", "pos"], radius(only, 0.1, 1.0), strict=True))
    assert got == {"pos": 0.1, "far": 0.0, "mode": 0.0}


def test_normalised_without_scale_counts_in_widths_of_the_box():
    assert unit_of(BOX, "normalised", None).tolist() == [2.0, 4.0]


def test_normalised_by_a_vecnormalize_counts_in_its_deviations_and_is_frozen():
    venv = VecNormalize(DummyVecEnv([PointEnv]))
    venv.obs_rms.var = np.array([4.0, 1.0, 0.25])
    layout = ObsLayout(PointEnv().observation_space)
    unit = unit_of(layout, "normalised", venv)
    np.testing.assert_allclose(unit, [2, 1, 0.5], rtol=1e-6)
    venv.obs_rms.var = venv.obs_rms.var * 100
    np.testing.assert_allclose(unit, [2, 1, 0.5], rtol=1e-6)


def test_eps_by_key():
    # Gymnasium sorts the keys: far, mode, pos.
    assert radius(DICT, {"pos": [0.1, 0.2], "far": 0.3}, 1.0).tolist() == [0.3, 0, 0.1, 0.2]


def test_equal_radii_make_a_scalar_ball_and_bounds_are_those_of_the_space():
    ball = make_ball(BOX, "l2", radius(BOX, 0.1, 1.0))
    assert ball.eps.dim() == 0
    assert ball.low.tolist() == [0, -1]
    assert ball.high.tolist() == [2, 3]


@pytest.mark.parametrize("eps", [-0.1, np.nan, np.inf, [0.1, -1.0]])
def test_bad_radii(eps):
    with pytest.raises(ValueError, match="eps must be a finite number >= 0"):
        radius(BOX, eps, 1.0)


def test_eps_of_a_wrong_kind_or_shape_or_keys():
    with pytest.raises(TypeError, match="eps must be a finite number >= 0"):
        radius(BOX, "large", 1.0)
    with pytest.raises(ValueError, match=r"broadcasts to shape \(2,\)"):
        radius(BOX, [0.1, 0.2, 0.3], 1.0)
    with pytest.raises(ValueError, match=r"attacked keys \['far', 'pos'\]"):
        radius(DICT, {"pos": 0.1}, 1.0)


def test_bad_units():
    with pytest.raises(ValueError, match="Did you mean"):
        unit_of(BOX, "normalized", None)
    with pytest.raises(ValueError, match="only with units='normalised'"):
        unit_of(BOX, "raw", 2.0)
    with pytest.raises(ValueError, match="scale must be positive"):
        unit_of(BOX, "normalised", [1.0, 0.0])
    with pytest.raises(ValueError, match=r"finite bounds.*VecNormalize"):
        unit_of(ObsLayout(spaces.Box(-np.inf, np.inf, (2,))), "normalised", None)
