# Why: the system's own OpenCVConfig.cmake comes only with every module of OpenCV and some 180 packages that these need.
set(OpenCV_INCLUDE_DIRS /usr/include/opencv4)
set(OpenCV_LIBS opencv_imgcodecs opencv_imgproc opencv_core)
