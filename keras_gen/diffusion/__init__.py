"""Schedules, predictions and samplers: they combine freely."""

from keras_gen.diffusion.predictions import DataPrediction
from keras_gen.diffusion.predictions import FlowPrediction
from keras_gen.diffusion.predictions import NoisePrediction
from keras_gen.diffusion.predictions import PreconditionedPrediction
from keras_gen.diffusion.predictions import VelocityPrediction
from keras_gen.diffusion.predictions import Weighting
from keras_gen.diffusion.predictions import get_prediction
from keras_gen.diffusion.predictions import get_weighting
from keras_gen.diffusion.samplers import ddim
from keras_gen.diffusion.samplers import ddpm
from keras_gen.diffusion.samplers import dpmpp_2m
from keras_gen.diffusion.samplers import dpmpp_2m_sde
from keras_gen.diffusion.samplers import euler
from keras_gen.diffusion.samplers import flow_heun
from keras_gen.diffusion.samplers import get_sampler
from keras_gen.diffusion.samplers import heun
from keras_gen.diffusion.samplers import integrate
from keras_gen.diffusion.schedules import CosineSchedule
from keras_gen.diffusion.schedules import KarrasSchedule
from keras_gen.diffusion.schedules import LinearSchedule
from keras_gen.diffusion.schedules import RectifiedFlow
from keras_gen.diffusion.schedules import SigmoidBetaSchedule
from keras_gen.diffusion.schedules import SigmoidSchedule
from keras_gen.diffusion.schedules import get_schedule

__all__ = [
    "CosineSchedule",
    "DataPrediction",
    "FlowPrediction",
    "KarrasSchedule",
    "LinearSchedule",
    "NoisePrediction",
    "PreconditionedPrediction",
    "RectifiedFlow",
    "SigmoidBetaSchedule",
    "SigmoidSchedule",
    "VelocityPrediction",
    "Weighting",
    "ddim",
    "ddpm",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "euler",
    "flow_heun",
    "get_prediction",
    "get_sampler",
    "get_schedule",
    "get_weighting",
    "heun",
    "integrate",
]
