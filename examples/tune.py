"""Tune SAFER with Optuna: reward, less 20 times what the worst attack costs above the limit.

python examples/tune.py                                   # hours
python examples/tune.py --timesteps 600 --episodes 1 --trials 1
"""

from __future__ import annotations

import argparse

import optuna

from safer_gym.agents import SAFER
from safer_gym.conformance.evaluate import evaluate
from safer_gym.wrappers.tasks import find_task

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--timesteps", type=int, default=50_000)
parser.add_argument("--episodes", type=int, default=10)
parser.add_argument("--trials", type=int, default=20)
parser.add_argument("--task", default="ball-circle")
given = parser.parse_args()
task = find_task(given.task)


def objective(trial: optuna.Trial) -> float:
    rate = trial.suggest_float("learning_rate", 1e-4, 3e-3, log=True)
    most = trial.suggest_float("max_lam", 1.0, 100.0, log=True)
    model = SAFER("MlpPolicy", task.make(), learning_rate=rate, max_lam=most, eps=task.eps, seed=0)
    model.learn(given.timesteps)
    found = evaluate(model, task, eps=task.eps, n_episodes=given.episodes)
    excess = max(outcome.mean_cost for outcome in found) - task.cost_limit
    return found[0].mean_return - 20.0 * max(excess, 0.0)


study = optuna.create_study(direction="maximize")
study.optimize(objective, n_trials=given.trials)
print(study.best_params, study.best_value)
